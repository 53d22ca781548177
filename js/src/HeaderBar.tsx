// The session in numbers, and its controls.
import { useState } from "preact/hooks";
import { clock, count, duration, milliseconds, moved, percentiles } from "./format";
import { message, useSession, useStore, useTick, useTrait } from "./hooks";
import { Sparkline } from "./Sparkline";
import type { Header } from "./wire";

const SIGNS: Record<Header["state"], string> = {
  running: "●",
  paused: "❚❚",
  stopped: "■",
  ended: "■",
  broken: "■",
};

export function HeaderBar({ present, presenting }: { present: () => void; presenting: boolean }) {
  const { connection } = useSession();
  const store = useStore();
  const [, setSelected] = useTrait<number>("selected");
  const [, setPane] = useTrait<string>("pane");
  const [note, setNote] = useState("");
  const header = store.header;
  if (!header) return <div class="sf-header sf-dim">Waiting for the kernel …</div>;

  const call = async (name: string) => {
    setNote("");
    try {
      const result = await connection.call<number | null>(name);
      if (name !== "step") return;
      if (result) setSelected(result);
      else setNote("No message is ready to be served.");
    } catch (error) {
      setNote(message(error));
    }
  };
  const over = !connection.can.act;
  return (
    <div class="sf-header">
      <div class="sf-bar">
        <span class={`sf-state sf-${connection.gone ? "ended" : header.state}`} role="status">
          <span aria-hidden="true">{SIGNS[connection.gone ? "ended" : header.state]}</span>{" "}
          {header.engine}, {connection.gone ? "kernel ended" : header.state}
        </span>
        {header.parked > 0 && (
          <button type="button" class="sf-badge sf-waits" onClick={() => setPane("waiting")}>
            ❚❚ {count(header.parked)} parked
          </button>
        )}
        {header.web_url && (
          <a href={header.web_url} target="_blank" rel="noreferrer">
            web interface
          </a>
        )}
        <SessionClock />
        <span class="sf-fill" />
        {note && (
          <span class="sf-note" role="alert">
            {note}
          </span>
        )}
        {header.state === "paused" ? (
          <button type="button" disabled={over} onClick={() => call("resume")}>
            ▶ Resume
          </button>
        ) : (
          <button type="button" disabled={over} onClick={() => call("pause")}>
            ❚❚ Pause
          </button>
        )}
        <button
          type="button"
          disabled={over}
          title="Pause, serve one message, and open what was served"
          onClick={() => call("step")}
        >
          Step
        </button>
        {store.clearedTo > 0 && store.rows.length === 0 ? (
          <button type="button" onClick={() => store.restore()}>
            ↶ Undo clear
          </button>
        ) : (
          <button
            type="button"
            title="Empty the tables; the session keeps what it has"
            onClick={() => {
              setSelected(0);
              store.clear();
            }}
          >
            Clear view
          </button>
        )}
        <button
          type="button"
          aria-pressed={presenting}
          title="Larger type, one chain lit, slow motion"
          onClick={present}
        >
          Present
        </button>
        {store.clearedTo > 0 && store.rows.length > 0 && (
          <button type="button" onClick={() => store.restore()}>
            ↶ Undo clear
          </button>
        )}
      </div>
      <Metrics header={header} />
    </div>
  );
}

/** The session's clock, where it is not everybody's. */
function SessionClock() {
  const store = useStore();
  useTick(1_000);
  const { header, ahead, jumps } = store;
  if (!header || (header.ticks && Math.abs(ahead) < 2_000)) return null;
  const moves = jumps.slice(-5).map(moved).join("\n");
  return (
    <span
      class="sf-dim"
      title={`The session's clock${header.ticks ? "" : " moves by advance() alone"}.\n${moves}`}
    >
      <span aria-hidden="true">◷ </span>
      <span class="sf-hidden">session clock </span>
      {clock(store.now()).slice(0, 8)}
      {!header.ticks && " (virtual)"}
      {header.ticks && ` (+${duration(Math.round(ahead / 1_000) * 1_000)})`}
    </span>
  );
}

function Metrics({ header }: { header: Header }) {
  const { time, rate, p50, p99, queued } = useStore().samples;
  const open = header.errors - header.repaired;
  return (
    <div class="sf-metrics">
      <Metric name="invocations" value={count(header.traced)} />
      <Metric name="errors" value={count(header.errors)} alarm={open > 0}>
        {header.repaired > 0 && (
          <span class="sf-good">{open ? `${count(header.repaired)} repaired` : "✓ repaired"}</span>
        )}
      </Metric>
      <Metric name="queued" value={count(header.queued)}>
        <Sparkline time={time} series={[queued]} label="queued messages" text={count} />
      </Metric>
      <Metric name="per second" value={count(header.rate)}>
        <Sparkline time={time} series={[rate]} label="invocations per second" text={count} />
      </Metric>
      <Metric name="p50 · p99 ms" value={percentiles(header)}>
        <Sparkline time={time} series={[p50, p99]} label="milliseconds" text={milliseconds} wide />
      </Metric>
      <Metric name="in flight" value={count(header.in_flight)} />
      <Metric name="delayed" value={count(header.delayed)} />
      {header.running.map((each) => (
        <Metric key={each} name="running" value={each} />
      ))}
    </div>
  );
}

function Metric({
  name,
  value,
  alarm = false,
  children,
}: {
  name: string;
  value: string;
  alarm?: boolean;
  children?: preact.ComponentChildren;
}) {
  return (
    <div class="sf-metric">
      <div class="sf-metric-name">{name}</div>
      <div class={alarm ? "sf-metric-line sf-alarm" : "sf-metric-line"}>
        <span class="sf-metric-value">
          {alarm && <span aria-hidden="true">✗ </span>}
          {value}
        </span>
        {children}
      </div>
    </div>
  );
}
