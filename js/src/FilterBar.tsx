// The one filter of a view: what is typed, its terms as chips, suggestions, and a page of help.
import { useMemo, useRef, useState } from "preact/hooks";
import { without } from "./filter";
import { count } from "./format";
import { type Filtered, useFilter, useStore } from "./hooks";
import { uniqueName } from "./page";
import type { Store } from "./store";
import { FIELDS } from "./tokens";

export function FilterBar() {
  const store = useStore();
  const filtered = useFilter();
  const { text, set, filter, rows, selection } = filtered;
  const [help, setHelp] = useState(false);
  const list = useRef(uniqueName()).current;
  const offers = useMemo(() => suggestions(text, store), [text, store.version]);
  const problem = filter.problem || selection.problem;
  return (
    <div class="sf-filtering">
      <div class="sf-bar">
        <label class="sf-grow">
          <span class="sf-hidden">Filter invocations</span>
          <input
            type="search"
            class="sf-filter"
            list={list}
            placeholder="Filter: status:error, cart AND ann, message.qty>2, since:5s"
            value={text}
            onInput={(event) => set(event.currentTarget.value)}
          />
          <datalist id={list}>
            {offers.map((each) => (
              <option key={each} value={each} />
            ))}
          </datalist>
        </label>
        <button
          type="button"
          aria-expanded={help}
          aria-label="Help for the filter"
          onClick={() => setHelp(!help)}
        >
          ?
        </button>
        <span class="sf-dim sf-counted" role="status">
          {count(rows.length)} of {count(store.rows.length)}
          {store.waiting > 0 && `, ${count(store.waiting)} to come`}
        </span>
      </div>
      {filter.parts.length > 0 && <Chips filtered={filtered} />}
      {problem && (
        <div class="sf-problem" role="alert">
          {problem}
        </div>
      )}
      {help && <Help use={set} />}
    </div>
  );
}

function Chips({ filtered: { filter, set, rows, selection } }: { filtered: Filtered }) {
  const { parts } = filter;
  const nothing = rows.length === 0;
  return (
    <div class="sf-chips">
      {parts.map((part, index) => (
        <button
          key={`${index}${part.text}`}
          type="button"
          class="sf-chip"
          aria-label={`Without ${part.text}`}
          onClick={() => set(without(parts, part))}
        >
          <bdi>{part.text}</bdi>
          <span class="sf-dim">
            {nothing && parts.length > 1 && ` ${count(selection.countWithout(index))} without`} ✕
          </span>
        </button>
      ))}
      {parts.length > 1 && (
        <button type="button" class="sf-link" onClick={() => set("")}>
          Show all
        </button>
      )}
    </div>
  );
}

const EXAMPLES: [string, string][] = [
  ["type:shop/cart, type:cart, type:shop/*", "a function"],
  ["id:bob, id:b*", "an instance"],
  ["caller:order, caller:ingress", "who sent the message"],
  ["status:error, status=ok, status:repaired", "what became of it"],
  ["error:ValueError", "words of an error"],
  ["message:hat, state:total, sent:mails", "words of message, change, effects"],
  ["message.qty>2, state.total>=100", "a value inside"],
  ["topic:mails", "records of a topic"],
  ["seq:7, #7, cause:7, ms > 5", "numbers"],
  ["since:5s, since:10m", "the last seconds, minutes"],
  ["cart AND error, a OR b, a or b, NOT c, -c, (a OR b) c", "put together"],
  ["anything", "text anywhere"],
];

function Help({ use }: { use: (text: string) => void }) {
  return (
    <div class="sf-help" role="region" aria-label="What the filter understands">
      <div class="sf-help-grid">
        {EXAMPLES.map(([examples, words]) => (
          <div key={words}>
            <div>
              {examples.split(", ").map((each) => (
                <button key={each} type="button" class="sf-link" onClick={() => use(each)}>
                  {each}
                </button>
              ))}
            </div>
            <div class="sf-dim">{words}</div>
          </div>
        ))}
      </div>
    </div>
  );
}

const MOST = 40;

/** What the last word may become; each with what was typed before it. */
export function suggestions(text: string, store: Pick<Store, "rows" | "types">): string[] {
  const begin = text.search(/[^\s(]*$/);
  const [before, word] = [text.slice(0, begin), text.slice(begin)];
  const [field, value] = word.split(":", 2) as [string, string | undefined];
  const typed = (value ?? field).toLowerCase();
  const found =
    value === undefined
      ? FIELDS.filter((each) => each.includes(typed)).map((each) => `${each}:`)
      : values(field.toLowerCase(), store)
          .filter((each) => each.toLowerCase().includes(typed))
          .map((each) => `${field}:${quoted(each)}`);
  return found
    .filter((each) => each !== word)
    .slice(0, MOST)
    .map((each) => before + each);
}

function quoted(value: string): string {
  return /[\s()]/.test(value) ? `"${value.replaceAll('"', "*")}"` : value;
}

function values(field: string, { rows, types }: Pick<Store, "rows" | "types">): string[] {
  const recent = rows.slice(-500).reverse();
  const distinct = (found: string[]) => [...new Set(found)].filter(Boolean);
  switch (field) {
    case "type":
      return Object.keys(types);
    case "caller":
      return ["ingress", ...Object.keys(types)];
    case "id":
      return distinct(recent.map((row) => row.id));
    case "status":
      return ["ok", "error", "repaired", "rolled"];
    case "error":
      return distinct(recent.map((row) => row.error.split(":", 1)[0] ?? ""));
    case "topic":
      return distinct(recent.flatMap((row) => row.out.map((out) => out.topic)));
    case "since":
      return ["5s", "1m", "10m", "1h"];
    default:
      return [];
  }
}
