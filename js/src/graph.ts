// The flow graph as data: nodes and edges, by function type or by single address, laid out.
import { graphlib, layout } from "@dagrejs/dagre";
import { splitAddress } from "./filter";
import { edgeKey, type Store } from "./store";

export type NodeKind = "ingress" | "function" | "egress";

export interface GraphNode {
  key: string;
  kind: NodeKind;
  label: string;
  /** Typename and, for a single address, its id. */
  typename: string;
  id: string | null;
  invocations: number;
  errors: number;
  x: number;
  y: number;
}

export interface GraphEdge {
  key: string;
  count: number;
  rate: number;
  points: { x: number; y: number }[];
  label: { x: number; y: number };
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
  width: number;
  height: number;
  /** Was anything left out? */
  cut: boolean;
}

export const NODE_WIDTH = 170;
export const NODE_HEIGHT = 38;
/** More single addresses than this are a ball of wool. */
const MOST_NODES = 120;

interface Parts {
  nodes: Map<string, GraphNode>;
  edges: Map<string, { from: string; to: string; count: number; rate: number }>;
  cut: boolean;
}

/** What flows between function types, exactly as the kernel counted it. */
export function typeParts(store: Store): Parts {
  const parts: Parts = { nodes: new Map(), edges: new Map(), cut: false };
  for (const [typename, [invocations, errors]] of Object.entries(store.types)) {
    addNode(parts, "function", typename, null, invocations, errors);
  }
  for (const edge of store.edges) {
    const { kind, source, target, messages } = edge;
    const from = source ? addNode(parts, "function", source) : addNode(parts, "ingress", "");
    const to = addNode(parts, kind === "egress" ? "egress" : "function", target);
    const key = edgeKey(edge);
    parts.edges.set(key, { from, to, count: messages, rate: store.rates.get(key) ?? 0 });
  }
  return parts;
}

/** What flows between single addresses, in the rows that are here. */
export function addressParts(store: Store): Parts {
  const parts: Parts = { nodes: new Map(), edges: new Map(), cut: false };
  for (let index = store.rows.length - 1; index >= 0; index--) {
    const row = store.rows[index];
    if (!row) continue;
    if (parts.nodes.size >= MOST_NODES) {
      parts.cut = true;
      break;
    }
    const failed = row.status === "error" ? 1 : 0;
    const to = addNode(parts, "function", row.typename, row.id, 1, failed);
    const from = row.caller
      ? addNode(parts, "function", ...splitAddress(row.caller))
      : addNode(parts, "ingress", "");
    addEdge(parts, from, to);
    for (const { kind, where } of row.out) {
      if (kind === "egress") addEdge(parts, to, addNode(parts, "egress", where));
    }
  }
  return parts;
}

function addNode(
  parts: Parts,
  kind: NodeKind,
  typename: string,
  id: string | null = null,
  invocations = 0,
  errors = 0,
): string {
  const key = id === null ? `${kind} ${typename}` : `${kind} ${typename}/${id}`;
  const known = parts.nodes.get(key);
  if (known) {
    known.invocations += invocations;
    known.errors += errors;
    return key;
  }
  const label = kind === "ingress" ? "ingress" : id === null ? typename : id;
  parts.nodes.set(key, { key, kind, label, typename, id, invocations, errors, x: 0, y: 0 });
  return key;
}

function addEdge(parts: Parts, from: string, to: string): void {
  const key = `${from} → ${to}`;
  const known = parts.edges.get(key);
  if (known) known.count++;
  else parts.edges.set(key, { from, to, count: 1, rate: 0 });
}

/** What a layout depends on: counts may change without moving anything. */
export function shape(parts: Parts): string {
  return [...parts.nodes.keys(), "|", ...parts.edges.keys()].join("\n");
}

export function place(parts: Parts): Graph {
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({
    rankdir: "LR",
    nodesep: 22,
    ranksep: 80,
    edgesep: 14,
    marginx: 12,
    marginy: 16,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const key of parts.nodes.keys()) {
    graph.setNode(key, { width: NODE_WIDTH, height: NODE_HEIGHT });
  }
  for (const [key, { from, to }] of parts.edges) {
    graph.setEdge(from, to, { width: 60, height: 14, labelpos: "c" }, key);
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const edges: GraphEdge[] = [];
  for (const each of graph.edges()) {
    const key = each.name ?? "";
    const found = parts.edges.get(key);
    const placed = graph.edge(each) as { points: { x: number; y: number }[]; x: number; y: number };
    if (!found || !placed) continue;
    const { count, rate } = found;
    edges.push({ key, count, rate, points: placed.points, label: { x: placed.x, y: placed.y } });
  }
  const nodes = [...parts.nodes.values()].map((node) => {
    const { x, y } = graph.node(node.key) as { x: number; y: number };
    return { ...node, x, y };
  });
  return { nodes, edges, width, height, cut: parts.cut };
}
