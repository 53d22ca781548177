// The flow graph: who sends to whom, how much, what waits, and where it fails.
import type { RefObject } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { count, percentiles } from "./format";
import {
  addFacts,
  addTimers,
  type Graph,
  type GraphEdge,
  type GraphNode,
  NODE_WIDTH,
  type Parts,
  place,
  type Room,
  rowParts,
  shape,
  typeParts,
} from "./graph";
import { useAnswer, useFilter, useStore, useTrait, useWidth } from "./hooks";
import { type Names, useNames } from "./names";
import { useMagnification } from "./Presenter";
import { uniqueName } from "./page";
import type { FunctionPage, TimerPage } from "./wire";

/** A box is as wide as its longest line needs, and grows in steps; names that are longer are cut. */
const [NARROW, MARGIN, STEP] = [132, 24, 8];
/** From one line in a box to the next. */
const LINE = 16;
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
      <Canvas parts={parts} lines={single ? 2 : 3} open={open}>
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
  /** So many has the box of a function room for. */
  lines: number;
  open: (filter: string) => void;
  children: preact.ComponentChildren;
}

function Canvas({ parts, lines, open, children }: CanvasProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const names = useNames();
  const arrow = useRef(uniqueName()).current;
  const width = useWidth(scroller);
  const [zoom, setZoom] = useState(1);
  const larger = useMagnification(scroller);
  const kind = shape(parts);
  const measure = useMeasure(scroller);
  const needed = Math.max(NARROW, ...[...parts.nodes.values()].map(widthOf));
  const widest = useRef({ kind, box: 0 });
  if (widest.current.kind !== kind) widest.current = { kind, box: 0 };
  widest.current.box = Math.max(widest.current.box, Math.ceil(needed / STEP) * STEP);
  const { box } = widest.current;
  // The layout stays while only counts change, unless one has no room any more.
  const layout = useMemo(
    () => fitting(parts, width / larger, { width: box, lines }),
    [kind, width, larger, box, lines],
  );
  const nodes = layout.nodes.map((node) => {
    const { x, y, height } = node;
    return { ...(parts.nodes.get(node.key) ?? node), x, y, height };
  });
  const edges = layout.edges.map((edge) => {
    const { count: messages = 0, rate = 0 } = parts.edges.get(edge.key) ?? {};
    return { ...edge, count: messages, rate };
  });
  const fit = Math.max(LEAST, Math.min(1.15, width / larger / (layout.width || 1)));
  const scale = larger * Math.max(LEAST, Math.min(MOST, fit * zoom));

  function widthOf(node: GraphNode): number {
    const [name = 0, ...facts] = linesOf(node, names).map(measure);
    return MARGIN + Math.max(Math.min(name, NODE_WIDTH - MARGIN), ...facts);
  }

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
                lines={linesOf(node, names)}
                measure={measure}
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
function fitting(parts: Parts, width: number, room: Room): Graph {
  const wide = place(parts, "LR", room);
  if (wide.width * LEAST <= width) return wide;
  const tall = place(parts, "TB", room);
  return tall.width < wide.width ? tall : wide;
}

type Measure = (text: string) => number;

/** How wide a text is in the graph, before it is scaled. */
function useMeasure(element: RefObject<HTMLElement | null>): Measure {
  return useMemo(() => {
    const pen = document.createElement("canvas").getContext("2d");
    let ready = false;
    return (text) => {
      if (!pen) return 0;
      if (!ready && element.current) {
        pen.font = `12px ${getComputedStyle(element.current).fontFamily}`; // as panes.css says
        ready = true;
      }
      return pen.measureText(text).width;
    };
  }, [element]);
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
  lines: string[];
  measure: Measure;
  open: () => void;
}

function NodeBox({ node, box, lines, measure, open }: NodeBoxProps) {
  const { kind, height } = node;
  const [name = "", ...facts] = lines;
  const shown = [cutToFit(name, box - MARGIN, measure), ...facts];
  const first = height / 2 - (LINE * (shown.length - 1)) / 2 + 4;
  const state = node.errors ? "sf-failed" : node.parked || node.waiting ? "sf-backlog" : "";
  return (
    <g
      class={`sf-node sf-node-${kind} ${state}`}
      transform={`translate(${node.x - box / 2} ${node.y - height / 2})`}
      role="button"
      tabindex={0} // as SVG has it
      onClick={open}
      onKeyDown={pressed(open)}
    >
      <title>{titleOf(node)}</title>
      <rect width={box} height={height} rx={kind === "function" ? 5 : height / 2} />
      {shown.map((line, index) => (
        <text
          key={index}
          class={index > 0 ? "sf-small" : ""}
          x={box / 2}
          y={first + index * LINE}
          text-anchor="middle"
        >
          {line}
        </text>
      ))}
    </g>
  );
}

/** Of a long name the end, which tells it from others. */
function cutToFit(name: string, width: number, measure: Measure): string {
  let shown = name.slice(-100); // no more has room
  while (shown.length > 1 && measure(shown.length < name.length ? `…${shown}` : shown) > width) {
    shown = shown.slice(1);
  }
  return shown.length < name.length ? `…${shown}` : shown;
}

/** A node's name, and of a function what matters most, in few words. */
function linesOf(node: GraphNode, names: Names): string[] {
  const { kind, label, invocations, errors, waiting, parked, p99 } = node;
  if (kind !== "function") return [kind === "topic" ? label : names.text(label)];
  const facts = [count(invocations)];
  if (errors) facts.push(`✗ ${count(errors)}`);
  if (parked) facts.push(`❚❚ ${count(parked)}`);
  else if (waiting) facts.push(`${count(waiting)} wait`);
  const lines = [names.text(label), facts.join("\u2002")]; // an SVG makes one of two spaces
  return p99 > 0 ? [...lines, `${percentiles(node)} ms`] : lines;
}

/** All that is known of a node, in words. */
function titleOf(node: GraphNode): string {
  const { kind, label, invocations, errors, waiting, parked, p99 } = node;
  const words = [`${kind} ${label.slice(0, 200)}`];
  if (kind === "function") {
    words.push(`${count(invocations)} ${invocations === 1 ? "invocation" : "invocations"}`);
    if (errors) words.push(`${count(errors)} ${errors === 1 ? "error" : "errors"}`);
    if (parked) words.push(`${count(parked)} parked`);
    if (waiting) words.push(`${count(waiting)} waiting`);
    if (p99 > 0) words.push(`p50 · p99 ${percentiles(node)} ms`);
  }
  return [...words, "show its invocations"].join("\n");
}
