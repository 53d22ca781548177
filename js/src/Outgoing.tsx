// What left the functions: messages by target, records by egress and topic.
import { useMemo, useRef, useState } from "preact/hooks";
import { Download } from "./Download";
import { clock, count } from "./format";
import { useFilter, useOpenInvocation, useStore, useVirtual } from "./hooks";
import { type Names, useNames } from "./names";
import { copy } from "./page";
import type { Out, OutKind, Row } from "./wire";

const HEIGHT = 26;

interface Item {
  row: Row;
  out: Out;
}

interface Group {
  name: string;
  kind: OutKind;
  where: string;
  topic: string;
  items: Item[];
}

export function Outgoing() {
  const store = useStore();
  const names = useNames();
  const [chosen, setChosen] = useState("");
  const { rows, selection, text } = useFilter();
  const now = [store.version, selection.version, text];
  const groups = useMemo(() => group(rows, names), now);
  const more = useMemo(() => leftOut(rows), now);
  const shown = groups.find((each) => each.name === chosen) ?? groups[0];
  return (
    <div class="sf-pane">
      <div class="sf-bar">
        <label>
          Show{" "}
          <select
            value={shown?.name ?? ""}
            onChange={(event) => setChosen(event.currentTarget.value)}
          >
            {groups.map((each) => (
              <option key={each.name} value={each.name}>
                {each.name} ({count(each.items.length)})
              </option>
            ))}
          </select>
        </label>
        {more > 0 && (
          <span
            class="sf-dim"
            title="A row brings the first six of what it sent; a download has all"
          >
            {count(more)} more in the invocations that sent them
          </span>
        )}
        <span class="sf-fill" />
        <Download
          name={shown?.topic || (shown?.where ?? "")}
          disabled={!shown}
          ask={() => ({
            what: "sent",
            kind: shown?.kind,
            where: shown?.where,
            topic: shown?.topic,
            seqs: [...new Set(rows.filter((row) => row.outs > 0).map((row) => row.seq))],
          })}
        />
      </div>
      {shown ? (
        <Items group={shown} />
      ) : (
        <div class="sf-empty">
          {text.trim()
            ? "Nothing of what matches the filter sent anything."
            : "Nothing was sent yet."}
        </div>
      )}
    </div>
  );
}

function group(rows: Row[], names: Names): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    for (const out of row.out) {
      const { kind, where, topic } = out;
      if (kind === "cancel") continue;
      const name =
        kind === "egress"
          ? `egress ${where}${topic && ` · ${topic}`}`
          : `${kind} ${names.type(where)}`;
      let found = groups.get(name);
      if (!found) {
        found = { name, kind, where, topic, items: [] };
        groups.set(name, found);
      }
      found.items.push({ row, out });
    }
  }
  return [...groups.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** How much of what was sent is not in the rows, but in their details. */
function leftOut(rows: Row[]): number {
  return rows.reduce((sum, row) => sum + row.outs - row.out.length, 0);
}

function Items({ group: { items } }: { group: Group }) {
  const scroller = useRef<HTMLDivElement>(null);
  const { items: seen, total } = useVirtual(scroller, items.length, HEIGHT);
  const open = useOpenInvocation();
  return (
    <div
      class="sf-scroller"
      ref={scroller}
      role="table"
      aria-label="Sent, newest first"
      aria-colcount={4}
      aria-rowcount={items.length}
      tabIndex={0}
    >
      <div class="sf-rows" role="rowgroup" style={{ height: `${total}px` }}>
        {seen.map((item) => {
          const found = items[items.length - 1 - item.index];
          if (!found) return null;
          const { row, out } = found;
          const { id, key, text } = out;
          return (
            <div
              key={item.key}
              class="sf-row sf-sent"
              role="row"
              aria-rowindex={item.index + 1}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <span role="cell">
                <button type="button" class="sf-link" onClick={() => open(row.seq)}>
                  <span class="sf-when">{clock(row.time)} </span>#{row.seq}
                </button>
              </span>
              <bdi role="cell" class="sf-key">
                {id || key}
              </bdi>
              <bdi role="cell" class="sf-grow" title={text}>
                {text}
              </bdi>
              <span role="cell">
                <button
                  type="button"
                  aria-label={`Copy the value of #${row.seq}`}
                  onClick={() => copy(text)}
                >
                  Copy
                </button>
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
