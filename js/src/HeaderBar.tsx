// The session in numbers, and its controls.
import { useState } from "preact/hooks";
import type { Connection } from "./connection";
import { count, milliseconds } from "./format";
import { message, useSession, useStore, useTrait } from "./hooks";
import { Sparkline } from "./Sparkline";
import { type Header, isOver } from "./wire";

const SIGNS: Record<Header["state"], string> = {
  running: "●",
  paused: "❚❚",
  stopped: "■",
  ended: "■",
};

export function HeaderBar() {
  const { connection } = useSession();
  const store = useStore();
  const [, setSelected] = useTrait<number>("selected");
  const [note, setNote] = useState("");
  const header = store.header;
  if (!header) return <div class="sf-header sf-dim">Waiting for the kernel …</div>;

  const call = async (name: string) => {
    setNote("");
    try {
      const result = await connection.call<number | null>(name);
      if (name !== "step") return;
      if (result) setSelected(result);
      else setNote("no message is ready to be served");
    } catch (error) {
      setNote(message(error));
    }
  };
  const over = isOver(header);
  return (
    <div class="sf-header">
      <div class="sf-bar">
        <span class={`sf-state sf-${header.state}`} role="status">
          <span aria-hidden="true">{SIGNS[header.state]}</span> {header.engine}, {header.state}
          {header.parked > 0 && `, ${count(header.parked)} parked`}
        </span>
        {header.web_url && (
          <a href={header.web_url} target="_blank" rel="noreferrer">
            web interface
          </a>
        )}
        <span class="sf-fill" />
        {header.state === "paused" ? (
          <button type="button" onClick={() => call("resume")}>
            ▶ Resume
          </button>
        ) : (
          <button type="button" disabled={over} onClick={() => call("pause")}>
            ❚❚ Pause
          </button>
        )}
        <button type="button" disabled={over} onClick={() => call("step")}>
          Step
        </button>
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
      </div>
      <Metrics header={header} />
      <Notes header={header} note={note} connection={connection} />
    </div>
  );
}

function Metrics({ header }: { header: Header }) {
  const { time, rate, p50, p99, queued } = useStore().samples;
  return (
    <div class="sf-metrics">
      <Metric name="invocations/s" value={count(header.rate)}>
        <Sparkline time={time} series={[rate]} label="invocations per second, over time" />
      </Metric>
      <Metric
        name="p50 · p99 ms"
        value={`${milliseconds(header.p50)} · ${milliseconds(header.p99)}`}
      >
        <Sparkline time={time} series={[p50, p99]} label="duration, over time" />
      </Metric>
      <Metric name="queued" value={count(header.queued)}>
        <Sparkline time={time} series={[queued]} label="queued messages, over time" />
      </Metric>
      <Metric name="in flight" value={count(header.in_flight)} />
      <Metric name="delayed" value={count(header.delayed)} />
      <Metric name="invocations" value={count(header.traced)} />
      <Metric name="errors" value={count(header.errors)} alarm={header.errors > 0} />
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
      <div class={alarm ? "sf-metric-value sf-alarm" : "sf-metric-value"}>
        {alarm && <span aria-hidden="true">⚠ </span>}
        {value}
        {children}
      </div>
    </div>
  );
}

function Notes({
  header,
  note,
  connection,
}: {
  header: Header;
  note: string;
  connection: Connection;
}) {
  const { missed, problem } = connection.store;
  const notes = [
    problem && `⚠ the view stands still: ${problem}`,
    header.health && `⚠ ${header.health}`,
    ...header.running.map((each) => `running: ${each}`),
    connection.gone && "The kernel of this view has ended: run its cell again.",
    connection.late > 0 && "The kernel has not answered yet: it runs a cell.",
    missed > 0 && `${count(missed)} invocations passed while nobody looked: no graph counts them.`,
    note,
  ].filter((each): each is string => Boolean(each));
  return (
    <div class="sf-notes" aria-live="polite">
      {notes.map((each) => (
        <div key={each}>{each}</div>
      ))}
    </div>
  );
}
