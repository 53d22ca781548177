// The timeline: a row for each address, drawn on a canvas; what is dragged over becomes the filter.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { chain } from "./chain";
import { withTerms } from "./filter";
import { clock, count, counted, duration, milliseconds, moved, times } from "./format";
import { useAnswer, useFilter, useStore, useTrait, useWidth } from "./hooks";
import { useNames } from "./names";
import { useLit } from "./Presenter";
import type { Store } from "./store";
import { barAt, between, MOST_BARS, type Timeline, timeline } from "./timeline";
import { draw, HEAD, LANE, type View } from "./timelineDrawing";
import type { Jump, Row, TimerPage } from "./wire";

const LABELS = 190;
const WHOLE = { from: 0, to: 1 };
const LEAST_SPAN = 1e-6;

export function TimelinePane() {
  const store = useStore();
  const names = useNames();
  const { rows, filter, text, set, selection } = useFilter();
  const { header } = store;
  const [selected, setSelected] = useTrait<number>("selected");
  const [lit, setLit] = useState(false);
  const timers = useAnswer<TimerPage>(
    "timers",
    { typename: filter.typename, id: filter.id },
    `${header?.delayed} ${header?.traced}`,
  );
  const data = useMemo(
    () => timeline(rows, timers.value?.rows ?? [], store.now(), movesOf(store, rows.at(-1))),
    [store.version, selection.version, text, timers.value, store.jumps.length],
  );
  const chained = useMemo(
    () => (lit && selected ? new Set(chain(store, selected).map(({ row }) => row.seq)) : null),
    [lit, selected, store.version],
  );
  const presented = useLit();
  const brushed = (from: number, to: number) => {
    const found = between(data, from, to);
    if (!found) return;
    set(withTerms(text, `seq>=${found[0]} seq<=${found[1]}`));
  };
  return (
    <div class="sf-pane">
      <Chart
        data={data}
        labels={data.lanes.map(({ typename, id }) => names.address(typename, id))}
        selected={selected}
        chained={chained ?? presented}
        select={setSelected}
        brushed={brushed}
      >
        <label>
          <input
            type="checkbox"
            checked={lit}
            onChange={(event) => setLit(event.currentTarget.checked)}
          />{" "}
          Light the chain of the open one
        </label>
        {data.jumps.length > 0 && (
          <span class="sf-dim" title={data.jumps.map(moved).join("\n")}>
            ▸▸ clock moved {times(data.jumps.length)}
          </span>
        )}
        {rows.length > MOST_BARS && <span class="sf-dim">the newest {count(MOST_BARS)}</span>}
      </Chart>
    </div>
  );
}

/** The moves of the clock up to a row; all of them when it is the newest. */
function movesOf(store: Store, last: Row | undefined): Jump[] {
  if (last === store.rows.at(-1)) return store.jumps;
  return store.jumps.filter(([before]) => before <= (last?.time ?? 0));
}

interface ChartProps {
  data: Timeline;
  labels: string[];
  selected: number;
  chained: Set<number> | null;
  select: (seq: number) => void;
  brushed: (from: number, to: number) => void;
  children: preact.ComponentChildren;
}

function Chart({ data, labels, selected, chained, select, brushed, children }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(box);
  const [view, setView] = useState(WHOLE);
  const [top, setTop] = useState(0);
  const [brush, setBrush] = useState<[number, number] | null>(null);
  const [hovered, setHovered] = useState(-1);
  const tall = box.current?.clientHeight ?? 300;
  const left = Math.min(LABELS, width * 0.3);
  const shape: View = { ...view, left, width, height: tall, top };
  useEffect(() => {
    if (canvas.current)
      draw(canvas.current, data, labels, shape, { selected, chained, hovered, brush });
  });
  const at = (x: number) =>
    view.from + ((x - left) / Math.max(1, width - left)) * (view.to - view.from);
  const zoom = (factor: number, around = (view.from + view.to) / 2) => {
    const from = around - (around - view.from) * factor;
    const to = around + (view.to - around) * factor;
    if (to - from < LEAST_SPAN) return;
    setView({ from: Math.max(0, from), to: Math.min(1, to) });
  };
  const shift = (part: number) => {
    const span = view.to - view.from;
    const from = Math.max(0, Math.min(1 - span, view.from + span * part));
    setView({ from, to: from + span });
  };
  const find = (event: { offsetX: number; offsetY: number }) => {
    const lane = Math.floor((event.offsetY - HEAD + top) / LANE);
    const place = at(event.offsetX);
    const reach = data.axis.time(at(event.offsetX + 6)) - data.axis.time(place);
    return event.offsetY < HEAD
      ? -1
      : barAt(data, lane, data.axis.time(place), Math.max(reach, 0.01));
  };
  const step = (by: number) => {
    const index = data.bars.findIndex((bar) => bar.seq === selected);
    const next = data.bars[Math.max(0, Math.min(data.bars.length - 1, index + by))];
    if (!next) return;
    select(next.seq);
    const place = data.axis.place(next.begin);
    if (place < view.from || place > view.to)
      shift((place - (view.from + view.to) / 2) / (view.to - view.from));
    const y = next.lane * LANE;
    if (box.current && (y < top || y > top + tall - HEAD - LANE))
      box.current.scrollTop = y - tall / 3;
  };
  const keys: Record<string, () => void> = {
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    "+": () => zoom(0.7),
    "-": () => zoom(1 / 0.7),
    "0": () => setView(WHOLE),
    Escape: () => select(0),
  };
  const shown = data.bars[hovered];
  const words = shown
    ? `${labels[shown.lane]} #${shown.seq}, ${clock(shown.begin)}, ${milliseconds(shown.end - shown.begin)} ms` +
      (shown.begin - shown.sent > 0.001 ? `, waited ${duration(shown.begin - shown.sent)}` : "")
    : "";
  return (
    <>
      <div class="sf-bar">
        {children}
        <span class="sf-fill" />
        <span class="sf-dim sf-counted">{words || "Drag over a part to filter by it"}</span>
        <button type="button" aria-label="Zoom in" onClick={() => zoom(0.6)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => zoom(1 / 0.6)}>
          −
        </button>
        <button type="button" aria-label="Earlier" onClick={() => shift(-0.4)}>
          ‹
        </button>
        <button type="button" aria-label="Later" onClick={() => shift(0.4)}>
          ›
        </button>
        <button type="button" onClick={() => setView(WHOLE)}>
          Fit
        </button>
      </div>
      <div
        class="sf-timeline"
        ref={box}
        role="group"
        aria-label={`Timeline of ${counted(data.bars.length, "invocation")}: left and right walk, plus and minus zoom`}
        tabIndex={0}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        onKeyDown={(event) => {
          const action = keys[event.key];
          if (!action) return;
          event.preventDefault();
          action();
        }}
      >
        <canvas
          ref={canvas}
          role="img"
          aria-label="Bars, as the rows of the Invocations pane have them in words"
          onWheel={(event) => {
            if (!event.ctrlKey) return; // the page scrolls by the wheel
            event.preventDefault();
            zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, at(event.offsetX));
          }}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            setBrush([event.offsetX, event.offsetX]);
          }}
          onPointerMove={(event) => {
            if (brush) setBrush([brush[0], event.offsetX]);
            else setHovered(find(event));
          }}
          onPointerLeave={() => setHovered(-1)}
          onPointerUp={(event) => {
            if (brush && Math.abs(brush[1] - brush[0]) > 6) {
              const [a, b] = [at(Math.min(...brush)), at(Math.max(...brush))];
              brushed(data.axis.time(a), data.axis.time(b));
              setView(WHOLE);
            } else {
              const found = data.bars[find(event)];
              if (found) select(found.seq === selected ? 0 : found.seq);
            }
            setBrush(null);
          }}
        />
        <div style={{ height: `${data.lanes.length * LANE + HEAD}px` }} />
        {data.bars.length === 0 && (
          <div class="sf-empty">
            <strong>Nothing to draw yet.</strong>
            <br />
            Each invocation is a bar, each address a row.
          </div>
        )}
      </div>
    </>
  );
}
