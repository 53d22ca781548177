// State: function types, their addresses, and what each keeps.
import { useEffect, useMemo, useState } from "preact/hooks";
import { StateDiff } from "./Detail";
import { term, wanted } from "./filter";
import { clock, count, duration, isOpenError, outcome } from "./format";
import {
  message,
  useAnswer,
  useHistory,
  useOpenInvocation,
  useSession,
  useStore,
  useTick,
  useTrait,
} from "./hooks";
import { Leaf, Tree } from "./Tree";
import type { Node, StatePage, StateRow, StateValue } from "./wire";

const STEP = 50;
const MOST = 200;

export function StatePane() {
  const { connection } = useSession();
  const store = useStore();
  // The invocations' filter names a function, or an instance: so does this pane.
  const [filter] = useTrait<string>("filter");
  const asked = useMemo(() => wanted(filter), [filter]);
  const [typename, setTypename] = useState(asked.typename);
  const [search, setSearch] = useState(asked.id);
  const [limit, setLimit] = useState(STEP);
  const [problem, setProblem] = useState("");
  const { value, error, reload } = useAnswer<StatePage>(
    "state",
    { typename, search, limit },
    store.header?.traced,
  );
  const types = value?.types ?? {};
  const names = Object.keys(types).sort();
  const first = names[0];
  useEffect(() => {
    if (first) setTypename((chosen) => chosen || first);
  }, [first]);
  useEffect(() => {
    if (asked.typename) setTypename(asked.typename);
    setSearch(asked.id);
  }, [asked]);

  const act = async (name: string, args: Record<string, unknown>) => {
    setProblem("");
    try {
      await connection.call(name, args);
    } catch (reason) {
      setProblem(message(reason));
      return false;
    } finally {
      reload();
    }
    return true;
  };
  const rows = value?.typename === typename ? value.rows : [];
  return (
    <div class="sf-pane">
      <div class="sf-bar">
        <label>
          Function{" "}
          <select value={typename} onChange={(event) => setTypename(event.currentTarget.value)}>
            {names.map((name) => (
              <option key={name} value={name}>
                {name} ({count(types[name] ?? 0)})
              </option>
            ))}
          </select>
        </label>
        <label class="sf-grow">
          <span class="sf-hidden">Search ids</span>
          <input
            type="search"
            placeholder="Search by id"
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </label>
        {(value?.undoable ?? 0) > 0 && (
          <button type="button" onClick={() => act("undo", {})}>
            ↶ Undo edit
          </button>
        )}
        <span class="sf-dim" role="status">
          {count(rows.length)} of {count(value?.total ?? 0)}
        </span>
      </div>
      {value?.observed && (
        <div class="sf-dim">
          A real cluster keeps its state to itself: this is what the endpoint saw last.
        </div>
      )}
      {(problem || error) && (
        <div class="sf-problem" role="alert">
          {problem || error}
        </div>
      )}
      <div class="sf-list" key="list">
        {rows.map((row) => (
          <Address
            key={row.id}
            typename={typename}
            row={row}
            editable={(store.header?.editable ?? false) && row.exact}
            act={act}
          />
        ))}
        {rows.length === 0 && <div class="sf-empty">No address has had a message yet.</div>}
        {rows.length < (value?.total ?? 0) && limit < MOST && (
          <button type="button" onClick={() => setLimit(MOST)}>
            Show more
          </button>
        )}
      </div>
    </div>
  );
}

/** Small values are shown open: most people keep small values. */
function isSmall(node: Node): boolean {
  return Array.isArray(node) && (node[0] === "map" || node[0] === "list") && node[1].length <= 5;
}

type Act = (name: string, args: Record<string, unknown>) => Promise<boolean>;

function Address({
  typename,
  row,
  editable,
  act,
}: {
  typename: string;
  row: StateRow;
  editable: boolean;
  act: Act;
}) {
  const openInvocation = useOpenInvocation();
  const [, setFilter] = useTrait<string>("filter");
  const [open, setOpen] = useState(false);
  const show = () => {
    setFilter(`${term("type", typename)} ${term("id", row.id)}`);
    openInvocation(row.seq);
  };
  return (
    <section class="sf-address" aria-label={`State of ${row.id.slice(0, 100)}`}>
      <div class="sf-bar">
        <h4 class="sf-id" title={row.id.slice(0, 1000)}>
          <bdi>{row.id}</bdi>
        </h4>
        {row.seq > 0 && (
          <button type="button" class="sf-link" onClick={show}>
            changed {clock(row.time)} by <bdi>{row.by || "an ingress"}</bdi> #{row.seq}
          </button>
        )}
        <span class="sf-fill" />
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          History
        </button>
      </div>
      <div class="sf-values">
        {row.values.map((value) => (
          <Value
            key={value.name}
            typename={typename}
            id={row.id}
            value={value}
            editable={editable}
            act={act}
          />
        ))}
        {row.values.length === 0 && <span class="sf-dim">no state</span>}
      </div>
      {open && <History typename={typename} id={row.id} seq={row.seq} />}
    </section>
  );
}

function Value({
  typename,
  id,
  value,
  editable,
  act,
}: {
  typename: string;
  id: string;
  value: StateValue;
  editable: boolean;
  act: Act;
}) {
  const [text, setText] = useState<string | null>(null);
  const args = { typename, id, name: value.name };
  const save = async (event: Event) => {
    event.preventDefault();
    if (await act("edit", { ...args, text })) setText(null);
  };
  return (
    <div class="sf-value">
      <span class="sf-key">{value.name}</span>
      <span class="sf-dim sf-type">{value.type.replace("io.statefun.types/", "")}</span>
      {text === null ? (
        <div class="sf-grow">
          {value.present ? (
            <Tree node={value.value} open={isSmall(value.value)} />
          ) : (
            <Leaf node={null} />
          )}
        </div>
      ) : (
        <form class="sf-grow sf-bar" onSubmit={save}>
          <input
            class="sf-grow"
            aria-label={`New value of ${value.name}`}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => event.key === "Escape" && setText(null)}
          />
          <button type="submit">Save</button>
          <button type="button" onClick={() => setText(null)}>
            Cancel
          </button>
        </form>
      )}
      {value.expires > 0 && <TimeLeft until={value.expires} />}
      {editable && text === null && value.text !== null && (
        <button
          type="button"
          aria-label={`Edit ${value.name}`}
          onClick={() => setText(value.text ?? "")}
        >
          Edit
        </button>
      )}
      {editable && text === null && value.present && (
        <button type="button" aria-label={`Clear ${value.name}`} onClick={() => act("clear", args)}>
          Clear
        </button>
      )}
    </div>
  );
}

/** Counts down on the session's clock. */
export function TimeLeft({ until }: { until: number }) {
  const store = useStore();
  useTick(1_000);
  return <span class="sf-dim">{duration(until - store.now())} left</span>;
}

function History({ typename, id, seq }: { typename: string; id: string; seq: number }) {
  const { value, error } = useHistory(typename, id, seq);
  const openInvocation = useOpenInvocation();
  if (error) return <div class="sf-problem">{error}</div>;
  return (
    <ol class="sf-history" aria-label="History, newest first">
      {value?.map(({ row, before, after }) => (
        <li key={row.seq}>
          <button type="button" class="sf-link" onClick={() => openInvocation(row.seq)}>
            {clock(row.time)} #{row.seq}
          </button>{" "}
          <bdi class="sf-dim">{row.message}</bdi>
          {row.change ? (
            <StateDiff before={before} after={after} />
          ) : (
            <span class="sf-dim"> · unchanged</span>
          )}
        </li>
      ))}
    </ol>
  );
}

/** One address for use between cells: `s.watch(typename, id)`. */
export function WatchPane({ typename, id }: { typename: string; id: string }) {
  const store = useStore();
  const when = store.header?.traced;
  const state = useAnswer<StatePage>("state", { typename, search: id, limit: MOST }, when, 500);
  const history = useHistory(typename, id, when, 500);
  const row = state.value?.rows.find((each) => each.id === id);
  return (
    <div class="sf-pane sf-watch">
      <h4>
        {typename} <bdi>{id}</bdi>
      </h4>
      {(state.error || history.error) && (
        <div class="sf-problem">{state.error || history.error}</div>
      )}
      <div class="sf-values">
        {row?.values.map((value) => (
          <div class="sf-value" key={value.name}>
            <span class="sf-key">{value.name}</span>
            <div class="sf-grow">
              {value.present ? (
                <Tree node={value.value} open={isSmall(value.value)} />
              ) : (
                <Leaf node={null} />
              )}
            </div>
            {value.expires > 0 && <TimeLeft until={value.expires} />}
          </div>
        ))}
        {!row && <span class="sf-dim">no message yet</span>}
      </div>
      <ol class="sf-history" aria-label="Last invocations, newest first">
        {history.value?.slice(0, 10).map(({ row: each }) => (
          <li key={each.seq}>
            <span class="sf-dim">{clock(each.time)}</span> <bdi>{each.message}</bdi>
            <span class="sf-dim"> {each.change}</span>
            {each.status !== "ok" && (
              <span class={isOpenError(each) ? "sf-alarm" : "sf-dim"}> {outcome(each)}</span>
            )}
          </li>
        ))}
      </ol>
    </div>
  );
}
