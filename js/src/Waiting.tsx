// Who waits: what is parked, backing off or queued; why, since when, and what to do about it.
import { useState } from "preact/hooks";
import { Editor } from "./Editor";
import { clock, count, duration } from "./format";
import {
  useAct,
  useAnswer,
  useCan,
  useFilter,
  useOpenInvocation,
  useStore,
  useTick,
} from "./hooks";
import { List } from "./List";
import { NotNarrowed } from "./NotNarrowed";
import { useNames } from "./names";
import type { WaitingMessage, WaitingPage, WaitingRow } from "./wire";

const SIGNS: Record<WaitingRow["why"], string> = {
  parked: "✗",
  undeclared: "?",
  "backing off": "↻",
  queued: "…",
  running: "●",
};

const WORDS: Record<WaitingRow["why"], string> = {
  parked: "parked",
  undeclared: "not declared",
  "backing off": "backing off",
  queued: "queued",
  running: "behind its running request",
};

export function Waiting() {
  const store = useStore();
  const { header } = store;
  const { filter } = useFilter();
  const when = header && `${header.parked} ${header.queued} ${header.traced} ${header.state}`;
  const { value, error, reload } = useAnswer<WaitingPage>(
    "waiting",
    { typename: filter.typename, id: filter.id },
    when,
    500,
  );
  const [act, problem] = useAct();
  const can = useCan();
  const [asking, setAsking] = useState(false);
  const rows = value?.rows ?? [];
  const retriable = rows.filter((row) => row.retriable).length;
  const failed = rows.filter((row) => row.discardable).length;
  // By what the page is of: the filter may have changed since, and its answer is not here yet.
  const { typename = "", id = "", total = 0 } = value ?? {};
  const isPart = typename !== "" || id !== "" || total > rows.length;
  const shown = (many: number) => isPart && many > 0 && `the ${count(many)} shown`;
  const all = async (name: string) => {
    setAsking(false);
    await act(name, { typename, id });
    reload();
  };
  return (
    <div class="sf-pane">
      <div class="sf-bar">
        <span role="status">
          {value
            ? `${count(value.total)} ${value.total === 1 ? "address waits" : "addresses wait"}`
            : !error && "Asking …"}
          {value && value.total > rows.length && `, the first ${rows.length} are here`}
        </span>
        <span class="sf-fill" />
        {can.act && (
          <>
            {" "}
            <button type="button" disabled={retriable === 0} onClick={() => all("retry_all")}>
              ↻ Retry {shown(retriable) || "all"}
            </button>
            {asking ? (
              <>
                <span>Give up the message at the head of {shown(failed) || count(failed)}?</span>
                <button type="button" class="sf-danger" onClick={() => all("discard_all")}>
                  Discard {shown(failed) || "all"}
                </button>
                <button type="button" onClick={() => setAsking(false)}>
                  Keep
                </button>
              </>
            ) : (
              <button type="button" disabled={failed === 0} onClick={() => setAsking(true)}>
                ✕ Discard {shown(failed) || "all"} …
              </button>
            )}
          </>
        )}
      </div>
      {(problem || error) && (
        <div class="sf-problem" role="alert">
          {problem || error}
        </div>
      )}
      <NotNarrowed />
      <List label="Addresses that wait" entries={rows.length}>
        {rows.map((row) => (
          <Address key={`${row.typename}/${row.id}`} row={row} reload={reload} />
        ))}
        {value && rows.length === 0 && (
          <div class="sf-empty">
            <strong>
              {filter.typename || filter.id ? "None of these addresses waits." : "Nothing waits."}
            </strong>
            <br />A message whose function raises stops here with all that come after it to the same
            address, until its cell is mended. Pause, and you see what is queued.
          </div>
        )}
      </List>
    </div>
  );
}

function Address({ row, reload }: { row: WaitingRow; reload: () => void }) {
  const { header } = useStore();
  const can = useCan();
  const names = useNames();
  const open = useOpenInvocation();
  const [act, problem, clear] = useAct();
  const [editing, setEditing] = useState(false);
  const { typename, id, why, discardable } = row;
  const address = { typename, id };
  const name = names.address(typename, id);
  const head = row.messages[0];
  const done = async (call: string, more: Record<string, unknown> = {}) => {
    const result = await act<number>(call, { ...address, ...more });
    reload();
    return result;
  };
  const step = async () => {
    const seq = await done("step");
    if (seq) open(seq);
  };
  const save = async (text: string) => {
    const saved = (await done("amend", { text })) !== undefined;
    if (saved) setEditing(false);
    return saved;
  };
  return (
    <section class={`sf-waiting sf-${why.replace(" ", "-")}`} role="listitem" aria-label={name}>
      <div class="sf-bar">
        <span class="sf-why">
          <span aria-hidden="true">{SIGNS[why]}</span> {WORDS[why]}
        </span>
        <strong class="sf-id" title={name}>
          <bdi>{name}</bdi>
        </strong>
        <span class="sf-dim">
          {count(row.waiting)} waiting
          {row.attempts > 0 && ` · ${count(row.attempts)} ${row.attempts === 1 ? "try" : "tries"}`}
          <Since row={row} />
        </span>
        <span class="sf-fill" />
        {can.edit && header?.state === "paused" && why === "queued" && (
          <button type="button" onClick={step} aria-label={`Step ${name}`}>
            Step this
          </button>
        )}
        {can.act && row.retriable && row.exact && (
          <button type="button" aria-label={`Retry ${name}`} onClick={() => done("retry")}>
            ↻ Retry
          </button>
        )}
        {can.act && discardable && row.exact && (
          <>
            <button
              type="button"
              aria-label={`Edit and retry ${name}`}
              aria-expanded={editing}
              disabled={head?.edit === null}
              onClick={() => {
                clear();
                setEditing(!editing);
              }}
            >
              ✎ Edit and retry
            </button>
            <button
              type="button"
              aria-label={`Discard the message of ${name}`}
              title="Give up the message at the head; those behind it go on"
              onClick={() => done("discard")}
            >
              ✕ Discard
            </button>
          </>
        )}
      </div>
      {(row.reason || row.line) && (
        <div class={discardable ? "sf-reason sf-alarm" : "sf-reason"}>
          <bdi>{row.reason}</bdi>
          {row.line && <span class="sf-dim"> at {row.line}</span>}{" "}
          {row.seq > 0 && (
            <button type="button" class="sf-link" onClick={() => open(row.seq)}>
              #{row.seq}
            </button>
          )}
        </div>
      )}
      {editing && (
        <Editor
          label={`New message for ${name} (${head?.type ?? ""})`}
          text={head?.edit ?? ""}
          done="Retry with this"
          save={save}
          cancel={() => setEditing(false)}
        />
      )}
      {problem && (
        <div class="sf-problem" role="alert">
          {problem}
        </div>
      )}
      <Messages messages={row.messages} total={row.waiting} />
    </section>
  );
}

function Since({ row }: { row: WaitingRow }) {
  const store = useStore();
  useTick(1_000);
  if (row.next > 0) return <> · again in {duration(row.next - store.now())}</>;
  if (row.since <= 0) return null;
  return (
    <span title={`since ${clock(row.since)}`}> · for {duration(store.now() - row.since)}</span>
  );
}

function Messages({ messages, total }: { messages: WaitingMessage[]; total: number }) {
  const store = useStore();
  const names = useNames();
  useTick(1_000);
  if (messages.length === 0) return null;
  return (
    <ol class="sf-messages" aria-label="The next messages">
      {messages.map(({ caller, type, text, came }, index) => (
        <li key={index}>
          <bdi class="sf-mono">{text}</bdi>{" "}
          <span class="sf-dim">
            {type}
            {caller && ` from ${names.text(caller)}`}
            {came > 0 && (
              <span title={`came at ${clock(came)}`}> · {duration(store.now() - came)} ago</span>
            )}
          </span>
        </li>
      ))}
      {total > messages.length && (
        <li class="sf-dim sf-more">and {count(total - messages.length)} more</li>
      )}
    </ol>
  );
}
