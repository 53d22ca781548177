// One invocation, opened.
import { useEffect, useState } from "preact/hooks";
import { effects } from "./chain";
import { type Change, diff } from "./diff";
import { splitAddress, term } from "./filter";
import { clock, milliseconds } from "./format";
import { message, useSession, useStore, useTrait } from "./hooks";
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
    <section class="sf-detail" aria-label={`Invocation ${seq}`}>
      <div class="sf-bar">
        <strong>Invocation {seq}</strong>
        {row && <span class="sf-dim">{clock(row.time)}</span>}
        <span class="sf-fill" />
        <button type="button" aria-pressed={chain} onClick={() => setChain(!chain)}>
          Chain
        </button>
        {shown && !full && hasCuts(shown) && (
          <button type="button" onClick={() => setFull(true)}>
            Show all
          </button>
        )}
        <button type="button" aria-label="Close" onClick={() => select(0)}>
          ✕
        </button>
      </div>
      {error && (
        <div class="sf-problem" role="alert">
          {error}
        </div>
      )}
      {row && <Links row={row} rows={store.rows} select={select} />}
      {chain && <Waterfall seq={seq} select={select} />}
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
  const [callerType] = splitAddress(row.caller);
  const caused = effects(rows, row.seq);
  return (
    <div class="sf-links">
      <button
        type="button"
        class="sf-link"
        title="Show this address only"
        onClick={() => setFilter(`${term("type", row.typename)} ${term("id", row.id)}`)}
      >
        {row.typename} <bdi>{row.id}</bdi>
      </button>
      <span>
        {" from "}
        {row.cause ? (
          <SeqLink seq={row.cause} text={row.caller} select={select} />
        ) : (
          <bdi>{callerType ? row.caller : "an ingress"}</bdi>
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
              text={`${each.typename}/${each.id}`}
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
  return (
    <>
      {row?.status === "rolled back" && (
        <Part title="Rolled back">
          ↶ Another message of its batch failed: this one comes again.
        </Part>
      )}
      {detail.error && (
        <Part title="Error">
          {detail.error.repaired && <div>✓ Repaired: its message has gone through since.</div>}
          <div class={detail.error.repaired ? "" : "sf-alarm"}>
            {!detail.error.repaired && "⚠ "}
            {detail.error.type}: <Leaf node={detail.error.message} />
            {detail.error.retries > 0 && ` (and ${detail.error.retries} times again)`}
          </div>
          <pre class="sf-pre">
            <Traceback node={detail.error.traceback} />
          </pre>
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
          <pre class="sf-pre">
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

/** A traceback whose line in the user's cell stands out: it is the last of a cell. */
function Traceback({ node }: { node: Node }) {
  if (typeof node !== "string") return <Leaf node={node} />;
  const lines = node.split("\n");
  const cell = lines.findLastIndex((line) =>
    /^ {2}File .*(ipykernel_|<ipython-input|Cell)/.test(line),
  );
  return (
    <>
      {lines.map((line, index) => {
        const marked = cell >= 0 && (index === cell || index === cell + 1);
        return marked ? <mark key={index}>{`${line}\n`}</mark> : `${line}\n`;
      })}
    </>
  );
}

const SIGNS = { added: "+", removed: "−", changed: "~" } as const;

/** What changed; with `whole` also all that is there now. */
export function StateDiff({
  before,
  after,
  whole = false,
}: {
  before: Node;
  after: Node;
  whole?: boolean;
}) {
  const changes = diff(before, after);
  return (
    <>
      {changes.map((change) => (
        <ChangeLine key={change.path} change={change} />
      ))}
      {changes.length === 0 && <span class="sf-dim">unchanged</span>}
      {whole && <Tree node={after} open={!changes.length} />}
    </>
  );
}

function ChangeLine({ change }: { change: Change }) {
  return (
    <div class={`sf-change sf-${change.kind}`}>
      <span class="sf-sign" role="img" aria-label={change.kind}>
        {SIGNS[change.kind]}
      </span>
      <span class="sf-key">{change.path}: </span>
      {change.before !== undefined && <del>{change.before}</del>}
      {change.kind === "changed" && " → "}
      {change.after !== undefined && <ins>{change.after}</ins>}
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
  const where = [out.where, out.id, out.topic, out.key].filter(Boolean).join(" ");
  return (
    <div class="sf-out">
      <div>
        <span class="sf-dim">{WORDS[out.kind]}</span> <bdi>{where}</bdi>
        {out.delay && <span class="sf-dim"> in {out.delay}</span>}
      </div>
      {out.value !== undefined && <Tree node={out.value} open={false} />}
    </div>
  );
}
