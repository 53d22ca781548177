// A form that sends a message, and says what came of it.
import { useMemo, useRef, useState } from "preact/hooks";
import { outcome } from "./format";
import { useAct, useAnswer, useCan, useOpenInvocation, useRemembered, useStore } from "./hooks";
import { useNames } from "./names";
import { uniqueName } from "./page";
import { find, isLost, type Sent } from "./sent";
import type { Store } from "./store";
import { type FunctionPage, LONGEST_DELAY, MESSAGE_TYPES } from "./wire";

interface Draft {
  typename: string;
  id: string;
  text: string;
  type: string;
  delay: string;
}

interface Entry extends Sent {
  readonly draft: Draft;
}

const EMPTY: Draft = { typename: "", id: "", text: "", type: "", delay: "" };
const MOST = 20;

export function Send() {
  const store = useStore();
  const can = useCan();
  const lists = useRef({
    functions: uniqueName(),
    ids: uniqueName(),
  }).current;
  // What is typed stays, also when another pane is looked at.
  const [draft, setDraft] = useRemembered<Draft>("draft", EMPTY);
  const [history, setHistory] = useState<Entry[]>(() => kept);
  const [act, problem, clear] = useAct();
  const form = useRef<HTMLFormElement>(null);
  const { value } = useAnswer<FunctionPage>("functions", {}, store.header?.functions.length);
  const takes = value?.rows.find((row) => row.typename === draft.typename)?.takes ?? [];
  const ids = useMemo(() => recentIds(store, draft.typename), [store.version, draft.typename]);
  const wrong = checkValue(draft) || checkDelay(draft.delay);
  const set = (change: Partial<Draft>) => {
    clear();
    setDraft({ ...draft, ...change });
  };
  const send = async (event?: Event) => {
    event?.preventDefault();
    const { typename, id, text } = draft;
    const delay = Number(draft.delay) || 0;
    const due = store.now() + delay * 1_000;
    const entry = { typename, id, text, draft, after: store.newest, due, row: undefined };
    if ((await act("send", { ...draft, delay })) === undefined) return;
    kept = [entry, ...kept].slice(0, MOST);
    setHistory(kept);
  };
  return (
    <div class="sf-pane sf-sending">
      <form
        class="sf-form"
        ref={form}
        onSubmit={send}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          if (form.current?.reportValidity()) send();
        }}
      >
        <label>
          Function
          <input
            list={lists.functions}
            required
            placeholder="namespace/name"
            value={draft.typename}
            onInput={(event) => set({ typename: event.currentTarget.value })}
          />
          <datalist id={lists.functions}>
            {store.header?.functions.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </label>
        <label>
          Id
          <input
            list={lists.ids}
            required
            value={draft.id}
            onInput={(event) => set({ id: event.currentTarget.value })}
          />
          <datalist id={lists.ids}>
            {ids.map((id) => (
              <option key={id} value={id} />
            ))}
          </datalist>
        </label>
        <label>
          Value
          <textarea
            rows={4}
            class="sf-mono"
            value={draft.text}
            aria-invalid={wrong !== ""}
            onInput={(event) => set({ text: event.currentTarget.value })}
          />
        </label>
        <label>
          Type
          <select value={draft.type} onChange={(event) => set({ type: event.currentTarget.value })}>
            <option value="">as Python reads it</option>
            {[...new Set([...takes, ...MESSAGE_TYPES])].map((name) => (
              <option key={name} value={name}>
                {takes.includes(name) ? `${name} (as before)` : name}
              </option>
            ))}
          </select>
        </label>
        <label>
          Delay
          <span>
            <input
              type="number"
              min="0"
              max={LONGEST_DELAY}
              step="any"
              placeholder="0"
              value={draft.delay}
              onInput={(event) => set({ delay: event.currentTarget.value })}
            />{" "}
            seconds
          </span>
        </label>
        <div class="sf-bar">
          <button type="submit" class="sf-primary" disabled={!can.act}>
            Send
          </button>
          <span class="sf-dim">Ctrl-Enter</span>
        </div>
        {(wrong || problem) && (
          <div class="sf-problem" role="alert">
            {wrong || problem}
          </div>
        )}
      </form>
      <History sent={history} again={setDraft} />
    </div>
  );
}

// As long as the page is open.
let kept: Entry[] = [];

function recentIds(store: Store, typename: string): string[] {
  const found = new Set<string>();
  for (let index = store.rows.length - 1; index >= 0 && found.size < 50; index--) {
    const row = store.rows[index];
    if (row && (!typename || row.typename === typename)) found.add(row.id);
  }
  return [...found];
}

/** Longer than any date is away, a message would never be served. */
export function checkDelay(seconds: string): string {
  if (Number(seconds) <= LONGEST_DELAY) return "";
  const most = LONGEST_DELAY.toLocaleString("en");
  return `The delay is longer than any date is away: at most ${most} seconds.`;
}

/** JSON is held to be JSON while it is typed. */
export function checkValue({ type, text }: Pick<Draft, "type" | "text">): string {
  const isJson = type === "JSON" || (type.includes("/") && !type.startsWith("io.statefun"));
  if (!isJson || text.trim() === "") return "";
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `This is no JSON: ${error instanceof Error ? error.message : error}`;
  }
}

function History({ sent, again }: { sent: Entry[]; again: (draft: Draft) => void }) {
  const store = useStore();
  const names = useNames();
  const open = useOpenInvocation();
  if (sent.length === 0) {
    return <div class="sf-empty">What you send from here is listed, with what came of it.</div>;
  }
  find(sent, store);
  return (
    <ol class="sf-sent-before" aria-label="Sent before, newest first">
      {sent.map((each, index) => {
        const { row } = each;
        return (
          <li key={sent.length - index}>
            <span role="status">
              sent to <bdi>{names.address(each.typename, each.id)}</bdi>
            </span>{" "}
            <bdi class="sf-mono sf-dim">{each.text.slice(0, 80)}</bdi>{" "}
            {row ? (
              <button type="button" class="sf-link" onClick={() => open(row.seq)}>
                #{row.seq} {outcome(row)}
              </button>
            ) : (
              <span class="sf-dim">
                {isLost(each, store) ? "its invocation is not kept any more" : "not served yet"}
              </span>
            )}{" "}
            <button type="button" onClick={() => again(each.draft)}>
              Again
            </button>
          </li>
        );
      })}
    </ol>
  );
}
