// The flow graph as data: nodes and edges, by function type or by single address, laid out.
import { graphlib, layout } from "@dagrejs/dagre";
import { addressFilter, splitAddress, term } from "./filter";
import { withSlash } from "./names";
import { edgeKey, type Store } from "./store";
import type { FunctionRow, Row, TimerRow } from "./wire";

export type NodeKind = "ingress" | "function" | "egress" | "topic";
export type EdgeKind = "message" | "egress" | "topic" | "timer";

export interface GraphNode {
  key: string;
  kind: NodeKind;
  label: string;
  /** The filter of what happened there; "" where there is none. */
  filter: string;
  invocations: number;
  /** Those that nothing has repaired. */
  errors: number;
  waiting: number;
  parked: number;
  p50: number;
  p99: number;
  x: number;
  y: number;
  height: number;
}

export interface GraphEdge {
  key: string;
  kind: EdgeKind;
  filter: string;
  count: number;
  rate: number;
  /** Is the count only that of the rows that are here? */
  atLeast: boolean;
  path: string;
  label: { x: number; y: number };
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
  width: number;
  height: number;
  /** The width of a node. */
  box: number;
  /** Was anything left out? */
  cut: boolean;
}

export const NODE_WIDTH = 178;
const [PADDING, LINE] = [28, 16];
/** From the middle of a loop's label to its end, with a margin: the layout knows of no loops. */
const LOOP_LABEL = 48;
/** More single addresses than this are a ball of wool. */
const MOST_NODES = 120;

interface Flow {
  from: string;
  to: string;
  kind: EdgeKind;
  filter: string;
  count: number;
  rate: number;
  atLeast: boolean;
}

export interface Parts {
  nodes: Map<string, GraphNode>;
  edges: Map<string, Flow>;
  cut: boolean;
}

const INGRESS = "ingress ";

/** What flows between function types, exactly as the kernel counted it. */
export function typeParts(store: Store): Parts {
  const parts = noParts();
  for (const [typename, [invocations, errors, repaired]] of Object.entries(store.types)) {
    const node = functionNode(parts, typename);
    node.invocations += invocations;
    node.errors += errors - repaired;
  }
  for (const edge of store.edges) {
    const { kind, source, target, messages } = edge;
    const from = source ? functionNode(parts, source).key : ingressNode(parts);
    const to = kind === "egress" ? egressNode(parts, target) : functionNode(parts, target).key;
    const key = edgeKey(edge);
    const filter =
      kind === "egress"
        ? `${term("type", source)} ${term("sent", target)}`
        : between(source, target);
    const rate = store.rates.get(key) ?? 0;
    parts.edges.set(key, { from, to, kind, filter, count: messages, rate, atLeast: false });
  }
  addTopics(parts, store.rows, store.rows.length < (store.header?.traced ?? 0));
  return parts;
}

/** What flows in some rows, between types or single addresses. */
export function rowParts(rows: Row[], single: boolean): Parts {
  const parts = noParts();
  for (let index = rows.length - 1; index >= 0; index--) {
    const row = rows[index];
    if (!row) continue;
    if (parts.nodes.size >= MOST_NODES) {
      parts.cut = true;
      break;
    }
    const node = functionNode(parts, row.typename, single ? row.id : null);
    node.invocations++;
    if (row.status === "error" && !row.repaired) node.errors++;
    const [callerType, callerId] = splitAddress(row.caller);
    const from = row.caller
      ? functionNode(parts, callerType, single ? callerId : null).key
      : ingressNode(parts);
    addFlow(parts, from, node.key, "message", between(callerType, row.typename));
    for (const { kind, where } of row.out) {
      if (kind !== "egress") continue;
      const filter = `${term("type", row.typename)} ${term("sent", where)}`;
      addFlow(parts, node.key, egressNode(parts, where), "egress", filter);
    }
  }
  addTopics(parts, rows, false);
  return parts;
}

/** Messages that wait for their time: who sent them, and to whom. */
export function addTimers(parts: Parts, timers: TimerRow[], single = false): void {
  for (const { owner, typename, id } of timers) {
    const to = functionNode(parts, typename, single ? id : null).key;
    const [ownerType, ownerId] = splitAddress(withSlash(owner));
    const from = ownerType
      ? functionNode(parts, ownerType, single ? ownerId : null).key
      : ingressNode(parts);
    addFlow(parts, from, to, "timer", term("type", typename));
  }
}

/** Backlog and durations, as the kernel knows them. */
export function addFacts(parts: Parts, rows: FunctionRow[]): void {
  for (const { typename, waiting, parked, p50, p99 } of rows) {
    const node = parts.nodes.get(`function ${typename}`);
    if (node) Object.assign(node, { waiting, parked, p50, p99 });
  }
}

function between(source: string, target: string): string {
  const from = source ? term("caller", source) : "caller:ingress";
  return `${term("type", target)} ${from}`;
}

/** Records go on from their egress to topics; of those only the rows tell. */
function addTopics(parts: Parts, rows: Row[], atLeast: boolean): void {
  for (const row of rows) {
    for (const { kind, where, topic } of row.out) {
      if (kind !== "egress" || topic === "") continue;
      const from = `egress ${where}`;
      if (!parts.nodes.has(from)) continue;
      const to = addNode(parts, "topic", topic, term("topic", topic));
      const filter = `${term("sent", where)} ${term("topic", topic)}`;
      addFlow(parts, from, to.key, "topic", filter).atLeast = atLeast || row.outs > row.out.length;
    }
  }
}

function noParts(): Parts {
  return { nodes: new Map(), edges: new Map(), cut: false };
}

function ingressNode(parts: Parts): string {
  return addNode(parts, "ingress", "", "caller:ingress", "ingress").key;
}

function egressNode(parts: Parts, typename: string): string {
  return addNode(parts, "egress", typename, term("sent", typename)).key;
}

function functionNode(parts: Parts, typename: string, id: string | null = null): GraphNode {
  if (id === null) return addNode(parts, "function", typename, term("type", typename));
  return addNode(parts, "function", `${typename}/${id}`, addressFilter(typename, id));
}

function addNode(
  parts: Parts,
  kind: NodeKind,
  name: string,
  filter: string,
  label = name,
): GraphNode {
  const key = kind === "ingress" ? INGRESS : `${kind} ${name}`;
  let node = parts.nodes.get(key);
  if (!node) {
    const counts = { invocations: 0, errors: 0, waiting: 0, parked: 0, p50: 0, p99: 0 };
    node = { key, kind, label, filter, ...counts, x: 0, y: 0, height: 0 };
    parts.nodes.set(key, node);
  }
  return node;
}

function addFlow(parts: Parts, from: string, to: string, kind: EdgeKind, filter: string): Flow {
  const key = `${kind} ${from} → ${to}`;
  const known = parts.edges.get(key);
  if (known) {
    known.count++;
    return known;
  }
  const flow = { from, to, kind, filter, count: 1, rate: 0, atLeast: false };
  parts.edges.set(key, flow);
  return flow;
}

/** What a layout depends on: counts may change without moving anything. */
export function shape(parts: Parts): string {
  return [...parts.nodes.keys(), "|", ...parts.edges.keys()].join("\n");
}

/** What the nodes of a graph have room for: a width in pixels, and lines of text in a function. */
export interface Room {
  width: number;
  lines: number;
}

/** So many nodes that nothing leads to or from are in a row, where it runs from left to right. */
const ALONE = 3;

/** Lay out from left to right, or in a narrow place from top to bottom. */
export function place(
  parts: Parts,
  direction: "LR" | "TB" = "LR",
  { width: box, lines }: Room = { width: NODE_WIDTH, lines: 2 },
): Graph {
  const heightOf = ({ kind }: GraphNode) => PADDING + LINE * (kind === "function" ? lines - 1 : 1);
  const graph = new graphlib.Graph({ multigraph: true });
  graph.setGraph({
    rankdir: direction,
    nodesep: direction === "LR" ? 26 : 34,
    ranksep: direction === "LR" ? 34 : 30,
    edgesep: 16,
    marginx: 14,
    marginy: 26,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const [key, node] of parts.nodes) {
    graph.setNode(key, { width: box, height: heightOf(node) });
  }
  for (const [key, { from, to }] of parts.edges) {
    if (from !== to) graph.setEdge(from, to, { width: 52, height: 16, labelpos: "c" }, key);
  }
  setInRows(graph, parts, direction === "LR" ? ALONE : Infinity);
  layout(graph);
  const { width: laidOut = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  let width = laidOut;
  const nodes = [...parts.nodes.values()].map((node) => {
    const { x, y } = graph.node(node.key) as { x: number; y: number };
    return { ...node, x, y, height: heightOf(node) };
  });
  const edges: GraphEdge[] = [];
  const loops = new Map<string, number>();
  for (const [key, flow] of parts.edges) {
    const { from, to, kind, filter, count, rate, atLeast } = flow;
    const facts = { key, kind, filter, count, rate, atLeast };
    if (from === to) {
      const { x, y, height } = graph.node(from) as Point & { height: number };
      const nth = loops.get(from) ?? 0;
      loops.set(from, nth + 1);
      const drawn = loop(x, y - height / 2, nth);
      edges.push({ ...facts, ...drawn });
      width = Math.max(width, drawn.label.x + LOOP_LABEL);
      continue;
    }
    const placed = graph.edge({ v: from, w: to, name: key }) as Placed | undefined;
    if (placed) {
      edges.push({ ...facts, path: curve(placed.points), label: { x: placed.x, y: placed.y } });
    }
  }
  return { nodes, edges, width, height, box, cut: parts.cut };
}

/** Nodes without an edge one after the other: a layout would have them all at the beginning. */
function setInRows(graph: graphlib.Graph, parts: Parts, length: number): void {
  const joined = new Set([...parts.edges.values()].flatMap(({ from, to }) => [from, to]));
  const alone = [...parts.nodes.keys()].filter((key) => !joined.has(key));
  alone.forEach((key, index) => {
    const before = alone[index - 1];
    if (before && index % length) graph.setEdge(before, key, { width: 0, height: 0 });
  });
}

interface Point {
  x: number;
  y: number;
}

interface Placed extends Point {
  points: Point[];
}

/** A message to itself: a loop above the node; the next one beside it. */
function loop(x: number, top: number, nth: number): { path: string; label: Point } {
  const left = x + (nth ? -46 : 14);
  const path = `M${left} ${top}C${left} ${top - 24} ${left + 36} ${top - 24} ${left + 36} ${top}`;
  return { path, label: { x: nth ? left - 18 : left + 58, y: top - 9 } };
}

/** Through the points of a layout, with round corners. */
export function curve(points: Point[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${round(first)}`;
  rest.forEach((point, index) => {
    const next = rest[index + 1];
    if (!next) {
      path += `L${round(point)}`;
      return;
    }
    const middle = { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    path += `Q${round(point)} ${round(middle)}`;
  });
  return path;
}

function round({ x, y }: Point): string {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
}
