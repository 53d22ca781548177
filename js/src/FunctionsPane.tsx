// The catalogue: what is declared, where, with which state; and how the last invocations went.
import { useState } from "preact/hooks";
import { showCell } from "./cells";
import { isNamed, term } from "./filter";
import { count, milliseconds, percentiles } from "./format";
import { useAnswer, useFilter, useStore, useTrait } from "./hooks";
import { useNames } from "./names";
import type { FunctionPage, FunctionRow } from "./wire";

export function FunctionsPane() {
  const store = useStore();
  const { filter } = useFilter();
  const { header } = store;
  const when = header && `${header.functions} ${header.traced} ${header.parked} ${header.queued}`;
  const { value, error } = useAnswer<FunctionPage>("functions", {}, when);
  const rows = (value?.rows ?? []).filter(
    ({ typename }) => !filter.typename || isNamed(typename, filter.typename),
  );
  return (
    <div class="sf-pane">
      {error && <div class="sf-problem">{error}</div>}
      <div class="sf-list">
        {rows.map((row) => (
          <Card key={row.typename} row={row} />
        ))}
        {value && rows.length === 0 && (
          <div class="sf-empty">
            <strong>No function is declared.</strong>
            <br />
            @sf.function("shop/cart", state={"{"}"items": list{"}"}) above a function declares one.
          </div>
        )}
      </div>
    </div>
  );
}

function Card({ row }: { row: FunctionRow }) {
  const store = useStore();
  const names = useNames();
  const [, setFilter] = useTrait<string>("filter");
  const [, setPane] = useTrait<string>("pane");
  const [code, setCode] = useState(false);
  const [invocations = 0, errors = 0, repaired = 0] = store.types[row.typename] ?? [];
  const open = errors - repaired;
  const cell = /^Cell In\[(\d+)\]/.exec(row.place)?.[1];
  const show = (pane: string, text: string) => {
    setFilter(text);
    setPane(pane);
  };
  return (
    <section class="sf-card" aria-label={row.typename}>
      <div class="sf-bar">
        <h4>
          <button
            type="button"
            class="sf-link"
            onClick={() => show("invocations", term("type", row.typename))}
          >
            {names.type(row.typename)}
          </button>
        </h4>
        {!row.declared && <span class="sf-badge sf-waits">? not declared</span>}
        {row.is_async && <span class="sf-badge">async</span>}
        {row.version > 1 && <span class="sf-dim">version {row.version}</span>}
        {cell ? (
          <button
            type="button"
            class="sf-link"
            onClick={(event) => showCell(event.currentTarget, cell)}
          >
            {row.place}
          </button>
        ) : (
          <span class="sf-dim">{row.place}</span>
        )}
        <span class="sf-fill" />
        {row.parked > 0 && (
          <button
            type="button"
            class="sf-badge sf-waits"
            onClick={() => show("waiting", term("type", row.typename))}
          >
            ❚❚ {count(row.parked)} parked
          </button>
        )}
        {row.source && (
          <button type="button" aria-expanded={code} onClick={() => setCode(!code)}>
            Source
          </button>
        )}
      </div>
      <div class="sf-facts">
        <Fact name="invocations" value={count(invocations)} />
        <Fact
          name="errors"
          value={errors ? `${count(errors)} (${share(errors, invocations)})` : "0"}
          alarm={open > 0}
        />
        <Fact name="waiting" value={count(row.waiting)} />
        <Fact name="addresses" value={count(row.addresses)} />
        <Fact name="p50 · p99 ms" value={percentiles(row)} />
        <Histogram durations={row.durations} />
        {row.takes.length > 0 && <Fact name="takes" value={row.takes.join(", ")} />}
        {row.state.length > 0 && (
          <Fact
            name="state"
            wide
            value={row.state
              .map(({ name, type, expires }) => `${name}: ${type}${expires && ` (${expires})`}`)
              .join(", ")}
          />
        )}
      </div>
      {code && (
        <pre class="sf-pre sf-code" tabIndex={0}>
          {row.source}
        </pre>
      )}
    </section>
  );
}

function share(part: number, of: number): string {
  const percent = (part / Math.max(of, 1)) * 100;
  return percent < 1 ? "<1 %" : `${Math.round(percent)} %`;
}

interface FactProps {
  name: string;
  value: string;
  alarm?: boolean;
  wide?: boolean;
}

function Fact({ name, value, alarm = false, wide = false }: FactProps) {
  return (
    <div class={wide ? "sf-metric sf-fact-wide" : "sf-metric"}>
      <div class="sf-metric-name">{name}</div>
      <div class={alarm ? "sf-alarm" : ""}>
        {alarm && <span aria-hidden="true">✗ </span>}
        {value}
      </div>
    </div>
  );
}

const BAR = 7;
const TALL = 24;

/** Durations, each bar twice as long as the one before. */
function Histogram({ durations }: { durations: number[] }) {
  const most = Math.max(...durations, 0);
  if (most === 0) return null;
  const first = durations.findIndex((each) => each > 0);
  const shown = durations.slice(first);
  const bound = (index: number) => milliseconds(0.01 * 2 ** (index + first));
  const words = shown.map((each, index) => `${each} below ${bound(index)} ms`).join(", ");
  return (
    <div class="sf-metric">
      <div class="sf-metric-name">durations</div>
      <svg
        width={shown.length * BAR}
        height={TALL}
        class="sf-histogram"
        role="img"
        aria-label={`Durations: ${words}`}
      >
        {shown.map((each, index) => {
          const height = each === 0 ? 0 : Math.max(2, (each / most) * TALL);
          return (
            <rect key={index} x={index * BAR} y={TALL - height} width={BAR - 1} height={height}>
              <title>
                {each} below {bound(index)} ms
              </title>
            </rect>
          );
        })}
      </svg>
    </div>
  );
}
