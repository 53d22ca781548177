// The flow graph: who sends to whom, how much, what waits, and where it fails.
import { useMemo, useRef, useState } from "preact/hooks";
import { count, milliseconds } from "./format";
import {
  addFacts,
  addTimers,
  type Graph,
  type GraphEdge,
  type GraphNode,
  NODE_HEIGHT,
  NODE_WIDTH,
  type Parts,
  place,
  rowParts,
  shape,
  typeParts,
} from "./graph";
import { useAnswer, useFilter, useStore, useTrait, useWidth } from "./hooks";
import { type Names, useNames } from "./names";
import { uniqueName } from "./page";
import type { FunctionPage, TimerPage } from "./wire";

const LABEL = 25;
/** A box is as wide as the longest label needs, in pixels a letter. */
const [NARROW, LETTER] = [132, 7.2];
/** Text of 12 px is never drawn smaller than 11. */
const [LEAST, MOST] = [11 / 12, 2];
/** A pulse for each message can be followed up to so many a second. */
const MOST_PULSES = 50;

export function GraphPane() {
  const store = useStore();
  const { rows, filter, text } = useFilter();
  const { header } = store;
  const [single, setSingle] = useState(false);
  const asked = { typename: filter.typename, id: filter.id };
  const timers = useAnswer<TimerPage>("timers", asked, `${header?.delayed} ${header?.traced}`);
  const facts = useAnswer<FunctionPage>(
    "functions",
    {},
    `${header?.traced} ${header?.queued} ${header?.parked}`,
  );
  const filtered = text.trim() !== "";
  const parts = single || filtered ? rowParts(rows, single) : typeParts(store);
  addTimers(parts, timers.value?.rows ?? [], single);
  if (!single) addFacts(parts, facts.value?.rows ?? []);
  const [, setFilter] = useTrait<string>("filter");
  const [, setPane] = useTrait<string>("pane");
  const open = (chosen: string) => {
    setFilter(chosen);
    setPane("invocations");
  };
  return (
    <div class="sf-pane sf-graph-pane">
      <Canvas parts={parts} open={open}>
        <label>
          <input
            type="checkbox"
            checked={single}
            onChange={(event) => setSingle(event.currentTarget.checked)}
          />{" "}
          Single addresses
        </label>
        {parts.cut && <span class="sf-dim">the newest {parts.nodes.size} only</span>}
        {filtered && <span class="sf-dim">of the {count(rows.length)} that match</span>}
      </Canvas>
    </div>
  );
}

interface CanvasProps {
  parts: Parts;
  open: (filter: string) => void;
  children: preact.ComponentChildren;
}

function Canvas({ parts, open, children }: CanvasProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const names = useNames();
  const arrow = useRef(uniqueName()).current;
  const width = useWidth(scroller);
  const [zoom, setZoom] = useState(1);
  const kind = shape(parts);
  const layout = useMemo(() => fitting(parts, width, names), [kind, width]);
  // The layout stays while only counts change.
  const nodes = layout.nodes.map((node) => {
    const { x, y } = node;
    return { ...(parts.nodes.get(node.key) ?? node), x, y };
  });
  const edges = layout.edges.map((edge) => {
    const { count: messages = 0, rate = 0 } = parts.edges.get(edge.key) ?? {};
    return { ...edge, count: messages, rate };
  });
  const fit = Math.max(LEAST, Math.min(1.15, width / (layout.width || 1)));
  const scale = Math.max(LEAST, Math.min(MOST, fit * zoom));
  return (
    <>
      <div class="sf-bar">
        {children}
        <span class="sf-fill" />
        <button type="button" aria-label="Zoom in" onClick={() => setZoom(zoom * 1.25)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => setZoom(zoom / 1.25)}>
          −
        </button>
        <button type="button" onClick={() => setZoom(1)}>
          Fit
        </button>
      </div>
      <div
        class="sf-canvas"
        ref={scroller}
        tabIndex={0}
        role="group"
        aria-label="Message flow, to be scrolled"
      >
        {nodes.length > 0 && (
          <svg
            class="sf-graph"
            role="group"
            aria-label="Message flow"
            width={layout.width * scale}
            height={layout.height * scale}
            viewBox={`0 0 ${layout.width} ${layout.height}`}
          >
            <Arrow id={arrow} />
            {edges.map((edge) => (
              <EdgeLine key={edge.key} edge={edge} arrow={arrow} open={() => open(edge.filter)} />
            ))}
            {nodes.map((node) => (
              <NodeBox
                key={node.key}
                node={node}
                box={layout.box}
                names={names}
                open={() => open(node.filter)}
              />
            ))}
          </svg>
        )}
        {nodes.length === 0 && (
          <div class="sf-empty">
            <strong>No message has flowed yet.</strong>
            <br />
            Declare a function, then run s.send(...).
          </div>
        )}
      </div>
    </>
  );
}

/** Where a row of layers does not fit, they stand below one another. */
function fitting(parts: Parts, width: number, names: Names): Graph {
  const labels = [...parts.nodes.values()].map(
    ({ kind, label }) => (kind === "topic" ? label : names.text(label)).length,
  );
  const box = Math.max(NARROW, Math.min(NODE_WIDTH, Math.max(0, ...labels) * LETTER + 24));
  const wide = place(parts, "LR", box);
  if (wide.width * LEAST <= width) return wide;
  const tall = place(parts, "TB", box);
  return tall.width < wide.width ? tall : wide;
}

function Arrow({ id }: { id: string }) {
  return (
    <defs>
      <marker
        id={id}
        viewBox="0 0 8 8"
        refX="7"
        refY="4"
        markerWidth="7"
        markerHeight="7"
        markerUnits="userSpaceOnUse"
        orient="auto"
      >
        <path d="M0 0L8 4L0 8z" />
      </marker>
    </defs>
  );
}

function pressed(open: () => void) {
  return (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    open();
  };
}

const KINDS = {
  message: "messages",
  egress: "records",
  topic: "records",
  timer: "pending",
} as const;

function EdgeLine({ edge, arrow, open }: { edge: GraphEdge; arrow: string; open: () => void }) {
  const { path, label, count: total, rate, kind, atLeast, filter } = edge;
  const width = 1.2 + Math.min(3.5, Math.log10(1 + total) / 1.5);
  const live = rate > 0;
  const words = `${atLeast ? "at least " : ""}${count(total)}`;
  return (
    <g
      class={`sf-edge sf-edge-${kind}${live ? " sf-live" : ""}`}
      role="button"
      tabindex={0} // as SVG has it
      aria-label={`${words} ${KINDS[kind]}, filter by ${filter}`}
      onClick={open}
      onKeyDown={pressed(open)}
    >
      <path class="sf-hit" d={path} />
      <path d={path} fill="none" stroke-width={width} marker-end={`url(#${arrow})`} />
      {live && rate <= MOST_PULSES && (
        <circle class="sf-pulse" r="4" style={{ offsetPath: `path("${path}")` }} />
      )}
      <text x={label.x} y={label.y + 4} text-anchor="middle">
        {atLeast && "≥ "}
        {kind === "timer" ? `◷ ${count(total)}` : count(total)}
        {rate >= 0.5 && ` · ${count(rate)}/s`}
      </text>
    </g>
  );
}

interface NodeBoxProps {
  node: GraphNode;
  /** Its width. */
  box: number;
  names: Names;
  open: () => void;
}

function NodeBox({ node, box, names, open }: NodeBoxProps) {
  const { kind, label } = node;
  const name = kind === "topic" ? label : names.text(label);
  const shown = name.length > LABEL ? `…${name.slice(1 - LABEL)}` : name;
  const facts = kind === "function" ? factsOf(node) : "";
  const state = node.errors ? "sf-failed" : node.parked || node.waiting ? "sf-backlog" : "";
  return (
    <g
      class={`sf-node sf-node-${kind} ${state}`}
      transform={`translate(${node.x - box / 2} ${node.y - NODE_HEIGHT / 2})`}
      role="button"
      tabindex={0} // as SVG has it
      onClick={open}
      onKeyDown={pressed(open)}
    >
      <title>{`${kind} ${label.slice(0, 200)}${facts && `\n${facts}`}\nshow its invocations`}</title>
      <rect width={box} height={NODE_HEIGHT} rx={kind === "function" ? 5 : NODE_HEIGHT / 2} />
      <text x={box / 2} y={facts ? 18 : 26} text-anchor="middle">
        {shown}
      </text>
      {facts && (
        <text class="sf-small" x={box / 2} y={34} text-anchor="middle">
          {facts}
        </text>
      )}
    </g>
  );
}

/** What matters most of a function, in few words. */
function factsOf({ invocations, errors, waiting, parked, p50, p99 }: GraphNode): string {
  const parts = [count(invocations)];
  if (errors) parts.push(`✗ ${count(errors)}`);
  if (parked) parts.push(`❚❚ ${count(parked)}`);
  else if (waiting) parts.push(`${count(waiting)} wait`);
  if (p99 > 0) parts.push(`${milliseconds(p50)}·${milliseconds(p99)} ms`);
  return parts.slice(0, 3).join("\u2002"); // an SVG makes one of two spaces
}
