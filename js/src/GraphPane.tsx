// The flow graph: who sends to whom, how much, and where it fails.
import { select as d3select } from "d3-selection";
import { type ZoomBehavior, zoom, zoomIdentity } from "d3-zoom";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { term } from "./filter";
import { count } from "./format";
import {
  addressParts,
  type Graph,
  type GraphEdge,
  type GraphNode,
  NODE_HEIGHT,
  NODE_WIDTH,
  place,
  shape,
  typeParts,
} from "./graph";
import { useStore, useTrait } from "./hooks";

const LABEL = 24;

export function GraphPane() {
  const store = useStore();
  const [single, setSingle] = useState(false);
  const parts = single ? addressParts(store) : typeParts(store);
  const layout = useMemo(() => place(parts), [shape(parts)]);
  // The layout stays while only counts change.
  const nodes = layout.nodes.map((node) => ({ ...node, ...counts(parts.nodes.get(node.key)) }));
  const edges = layout.edges.map((edge) => ({ ...edge, ...flow(parts.edges.get(edge.key)) }));
  const [, setFilter] = useTrait<string>("filter");
  const [, setPane] = useTrait<string>("pane");
  const open = (node: GraphNode) => {
    if (node.kind === "ingress") return;
    const text = node.kind === "egress" ? term("sent", node.typename) : term("type", node.typename);
    setFilter(node.id === null ? text : `${text} ${term("id", node.id)}`);
    setPane("invocations");
  };
  return (
    <div class="sf-pane sf-graph-pane">
      <Canvas graph={{ ...layout, nodes, edges }} open={open}>
        <label>
          <input
            type="checkbox"
            checked={single}
            onChange={(event) => setSingle(event.currentTarget.checked)}
          />{" "}
          Single addresses
        </label>
        {layout.cut && <span class="sf-dim">the newest {layout.nodes.length} only</span>}
      </Canvas>
    </div>
  );
}

function counts(node: GraphNode | undefined) {
  return { invocations: node?.invocations ?? 0, errors: node?.errors ?? 0 };
}

function flow(edge: { count: number; rate: number } | undefined) {
  return { count: edge?.count ?? 0, rate: edge?.rate ?? 0 };
}

interface CanvasProps {
  graph: Graph;
  open: (node: GraphNode) => void;
  children: preact.ComponentChildren;
}

function Canvas({ graph, open, children }: CanvasProps) {
  const svg = useRef<SVGSVGElement>(null);
  const [transform, setTransform] = useState(zoomIdentity);
  const behavior = useRef<ZoomBehavior<SVGSVGElement, unknown> | null>(null);
  useEffect(() => {
    if (!svg.current) return;
    behavior.current = zoom<SVGSVGElement, unknown>()
      .scaleExtent([0.1, 4])
      // The page scrolls by the wheel; the graph zooms by it while Ctrl is held, or by its buttons.
      .filter((event: MouseEvent) => (event.type === "wheel" ? event.ctrlKey : !event.button))
      .on("zoom", (event) => setTransform(event.transform));
    d3select(svg.current).call(behavior.current).on("dblclick.zoom", null);
  }, []);
  const fit = () => {
    const box = svg.current?.getBoundingClientRect();
    if (!svg.current || !behavior.current || !box?.width || !graph.width) return;
    const scale = Math.min(1.2, box.width / graph.width, box.height / graph.height);
    const x = (box.width - graph.width * scale) / 2;
    const y = (box.height - graph.height * scale) / 2;
    d3select(svg.current).call(
      behavior.current.transform,
      zoomIdentity.translate(x, y).scale(scale),
    );
  };
  const zoomBy = (factor: number) => {
    if (svg.current && behavior.current)
      d3select(svg.current).call(behavior.current.scaleBy, factor);
  };
  useEffect(fit, [graph.width, graph.height]);
  return (
    <>
      <div class="sf-bar">
        {children}
        <span class="sf-fill" />
        <button type="button" aria-label="Zoom in" onClick={() => zoomBy(1.3)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => zoomBy(1 / 1.3)}>
          −
        </button>
        <button type="button" onClick={fit}>
          Fit
        </button>
      </div>
      <svg ref={svg} class="sf-graph" role="group" aria-label="Message flow">
        <defs>
          <marker
            id="sf-arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto"
          >
            <path d="M0 0L8 4L0 8z" fill="currentColor" />
          </marker>
        </defs>
        <g transform={transform.toString()}>
          {graph.edges.map((edge) => (
            <EdgeLine key={edge.key} edge={edge} />
          ))}
          {graph.nodes.map((node) => (
            <NodeBox key={node.key} node={node} open={() => open(node)} />
          ))}
        </g>
      </svg>
      {graph.nodes.length === 0 && <div class="sf-empty">No message has flowed yet.</div>}
    </>
  );
}

function EdgeLine({ edge: { points, label, count: total, rate } }: { edge: GraphEdge }) {
  const [first, ...rest] = points;
  if (!first) return null;
  const path = `M${first.x} ${first.y}${rest.map(({ x, y }) => `L${x} ${y}`).join("")}`;
  const width = 1 + Math.min(4, Math.log10(1 + total) / 1.5);
  return (
    <g class={rate > 0 ? "sf-edge sf-live" : "sf-edge"}>
      <path d={path} fill="none" stroke-width={width} marker-end="url(#sf-arrow)" />
      <text x={label.x} y={label.y - 4} text-anchor="middle">
        {count(total)}
        {rate > 0 && ` · ${count(rate)}/s`}
      </text>
    </g>
  );
}

function NodeBox({ node, open }: { node: GraphNode; open: () => void }) {
  const { kind, label, invocations, errors } = node;
  const lines = [label.length > LABEL ? `${label.slice(0, LABEL - 1)}…` : label];
  if (kind === "function") {
    lines.push(
      errors
        ? `${count(invocations)} · ⚠ ${count(errors)} ${errors === 1 ? "error" : "errors"}`
        : count(invocations),
    );
  }
  const clickable = kind !== "ingress";
  return (
    <g
      class={`sf-node sf-node-${kind} ${errors ? "sf-failed" : ""}`}
      transform={`translate(${node.x - NODE_WIDTH / 2} ${node.y - NODE_HEIGHT / 2})`}
      {...(clickable
        ? {
            role: "button" as const,
            tabindex: 0,
            "aria-label": `${kind} ${label.slice(0, 100)}, show its invocations`,
            onClick: open,
            onKeyDown: (event: KeyboardEvent) => {
              if (event.key === "Enter" || event.key === " ") {
                event.preventDefault();
                open();
              }
            },
          }
        : {})}
    >
      <title>{label.slice(0, 200)}</title>
      <rect
        width={NODE_WIDTH}
        height={NODE_HEIGHT}
        rx={kind === "function" ? 5 : NODE_HEIGHT / 2}
      />
      {lines.map((line, index) => (
        <text
          key={line}
          x={NODE_WIDTH / 2}
          y={lines.length === 1 ? 23 : 16 + index * 15}
          text-anchor="middle"
          class={index ? "sf-small" : ""}
        >
          {line}
        </text>
      ))}
    </g>
  );
}
