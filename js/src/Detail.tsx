// One invocation, opened.
import { useEffect, useState } from "preact/hooks";
import { effects } from "./chain";
import { addressFilter, splitAddress } from "./filter";
import { clock, milliseconds, times } from "./format";
import { message, useSession, useStore, useTrait } from "./hooks";
import { useNames } from "./names";
import { SendAgain } from "./SendAgain";
import { SequenceDiagram } from "./SequenceDiagram";
import { StateDiff } from "./StateDiff";
import { Traceback } from "./Traceback";
import { isCut, Leaf, Tree } from "./Tree";
import { Waterfall } from "./Waterfall";
import type { DetailOut, Node, Row, Detail as Wire } from "./wire";

export function Detail({ seq, select }: { seq: number; select: (seq: number) => void }) {
  const { connection } = useSession();
  const store = useStore();
  const row = store.row(seq);
  const [detail, setDetail] = useState<Wire | null>(null);
  const [error, setError] = useState("");
  const [full, setFull] = useState(false);
  const [chain, setChain] = useState(false);
  const [diagram, setDiagram] = useState(false);
  useEffect(() => setFull(false), [seq]);
  useEffect(() => {
    let current = true;
    setError("");
    connection
      .call<Wire>("detail", { seq, full })
      .then((found) => current && setDetail(found))
      .catch((reason) => current && setError(message(reason)));
    return () => {
      current = false;
    };
  }, [connection, seq, full, row?.repaired]); // an open error may be repaired meanwhile
  const shown = detail?.seq === seq ? detail : null;
  return (
    <section
      class="sf-detail"
      aria-label={`Invocation ${seq}`}
      onKeyDown={(event) => event.key === "Escape" && select(0)}
    >
      <div class="sf-bar">
        <strong>Invocation {seq}</strong>
        {row && <span class="sf-dim">{clock(row.time)}</span>}
        <span class="sf-together">
          <button type="button" aria-pressed={chain} onClick={() => setChain(!chain)}>
            Chain
          </button>
          <button type="button" aria-pressed={diagram} onClick={() => setDiagram(!diagram)}>
            Sequence
          </button>
          {connection.can.ask && shown && !full && hasCuts(shown) && (
            <button type="button" onClick={() => setFull(true)}>
              Show all
            </button>
          )}
          <button type="button" aria-label="Close" onClick={() => select(0)}>
            ✕
          </button>
        </span>
      </div>
      {error && (
        <div class="sf-problem" role="alert">
          {error}
        </div>
      )}
      {row && <Links row={row} rows={store.rows} select={select} />}
      {chain && <Waterfall seq={seq} select={select} />}
      {diagram && <SequenceDiagram seq={seq} />}
      {shown && <SendAgain key={seq} detail={shown} />}
      {shown && <Body detail={shown} row={row} />}
    </section>
  );
}

function hasCuts(detail: Wire): boolean {
  const nodes: Node[] = [
    detail.message,
    detail.before,
    detail.after,
    detail.stdout,
    ...(detail.error ? [detail.error.message, detail.error.traceback] : []),
    ...detail.out.map((out) => out.value ?? null),
  ];
  return nodes.some(isCut);
}

/** Where it comes from and what it led to; both ways the chain can be walked. */
function Links({ row, rows, select }: { row: Row; rows: Row[]; select: (seq: number) => void }) {
  const [, setFilter] = useTrait<string>("filter");
  const names = useNames();
  const [callerType] = splitAddress(row.caller);
  const caused = effects(rows, row.seq);
  return (
    <div class="sf-links">
      <button
        type="button"
        class="sf-link"
        title="Show this address only"
        onClick={() => setFilter(addressFilter(row.typename, row.id))}
      >
        <bdi>{names.address(row.typename, row.id)}</bdi>
      </button>
      <span>
        {" from "}
        {row.cause ? (
          <SeqLink seq={row.cause} text={names.text(row.caller)} select={select} />
        ) : (
          <bdi>{callerType ? names.text(row.caller) : "an ingress"}</bdi>
        )}
      </span>
      <span class="sf-dim"> · {milliseconds(row.ms)} ms</span>
      {caused.length > 0 && (
        <div>
          led to{" "}
          {caused.slice(0, 20).map((each) => (
            <SeqLink
              key={each.seq}
              seq={each.seq}
              text={names.address(each.typename, each.id)}
              select={select}
            />
          ))}
          {caused.length > 20 && <span class="sf-dim"> and {caused.length - 20} more</span>}
        </div>
      )}
    </div>
  );
}

function SeqLink({
  seq,
  text,
  select,
}: {
  seq: number;
  text: string;
  select: (seq: number) => void;
}) {
  return (
    <button type="button" class="sf-link" onClick={() => select(seq)}>
      <bdi>{text}</bdi> <span class="sf-dim">#{seq}</span>
    </button>
  );
}

function Body({ detail, row }: { detail: Wire; row: Row | undefined }) {
  const { error } = detail;
  return (
    <>
      {row?.status === "rolled back" && (
        <Part title="Rolled back">
          ↶ Another message of its batch failed: this one comes again.
        </Part>
      )}
      {error && (
        <Part title="Error">
          {error.repaired && (
            <div class="sf-good">✓ Repaired: its message has gone through since.</div>
          )}
          <div class={error.repaired ? "" : "sf-alarm"}>
            {!error.repaired && "✗ "}
            {error.type}: <Leaf node={error.message} />
            {error.retries > 0 && ` (and ${times(error.retries)} again)`}
          </div>
          <Traceback error={error} />
        </Part>
      )}
      <Part title="Message" note={detail.message_type}>
        <Tree node={detail.message} />
      </Part>
      <Part title="State">
        <StateDiff before={detail.before} after={detail.after} whole />
      </Part>
      <Part title={`Sent (${row?.outs ?? detail.out.length})`}>
        {detail.out.length === 0 && <span class="sf-dim">nothing</span>}
        {detail.out.map((out, index) => (
          <OutLine key={index} out={out} />
        ))}
      </Part>
      {detail.stdout !== "" && (
        <Part title="Printed">
          <pre class="sf-pre sf-printed">
            <Leaf node={detail.stdout} />
          </pre>
        </Part>
      )}
      <div class="sf-dim">
        version {detail.function_version} of the function · request {detail.batch}
      </div>
    </>
  );
}

function Part({
  title,
  note,
  children,
}: {
  title: string;
  note?: string;
  children: preact.ComponentChildren;
}) {
  return (
    <div class="sf-part">
      <h4>
        {title} {note && <span class="sf-dim">{note}</span>}
      </h4>
      {children}
    </div>
  );
}

const WORDS = {
  message: "to",
  delayed: "later to",
  egress: "egress",
  cancel: "cancelled",
} as const;

function OutLine({ out }: { out: DetailOut }) {
  const names = useNames();
  const where =
    out.kind === "message" || out.kind === "delayed"
      ? [names.address(out.where, out.id ?? ""), out.key]
      : [out.where, out.topic, out.key];
  return (
    <div class="sf-out">
      <div>
        <span class="sf-dim">{WORDS[out.kind]}</span> <bdi>{where.filter(Boolean).join(" ")}</bdi>
        {out.delay && <span class="sf-dim"> in {out.delay}</span>}
      </div>
      {out.value !== undefined && <Tree node={out.value} open={false} />}
    </div>
  );
}
