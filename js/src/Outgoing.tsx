// What left the functions: messages by target, records by egress and topic.
import { useMemo, useRef, useState } from "preact/hooks";
import { parseFilter } from "./filter";
import { clock, count } from "./format";
import { message, useOpenInvocation, useSession, useStore, useTrait, useVirtual } from "./hooks";
import type { Out, Row } from "./wire";

const HEIGHT = 26;

interface Item {
  row: Row;
  out: Out;
}

interface Group {
  name: string;
  kind: string;
  items: Item[];
}

export function Outgoing() {
  const { connection } = useSession();
  const store = useStore();
  const [chosen, setChosen] = useState("");
  const [problem, setProblem] = useState("");
  const [filter, setFilter] = useTrait<string>("filter");
  const rows = useMemo(() => {
    return filter.trim() ? store.rows.filter(parseFilter(filter).test) : store.rows;
  }, [store.version, filter]);
  const groups = useMemo(() => group(rows), [store.version, rows]);
  const more = useMemo(() => leftOut(rows), [store.version, rows]);
  const shown = groups.find((each) => each.name === chosen) ?? groups[0];
  const download = async () => {
    if (!shown) return;
    setProblem("");
    try {
      const text =
        shown.kind === "egress"
          ? await connection.call<string>("records", { egress: shown.items[0]?.out.where ?? "" })
          : shown.items.map((item) => `${JSON.stringify(plain(item))}\n`).join("");
      save(text, `${shown.name.replaceAll(/[^\w.-]+/g, "_")}.jsonl`);
    } catch (error) {
      setProblem(message(error));
    }
  };
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
        {filter.trim() && (
          <button type="button" title="Show all" onClick={() => setFilter("")}>
            by {filter} ✕
          </button>
        )}
        {more > 0 && (
          <span class="sf-dim" title="A row brings the first six of what it sent">
            {count(more)} more in the invocations that sent them
          </span>
        )}
        <span class="sf-fill" />
        <button type="button" disabled={!shown} onClick={download}>
          Download JSON lines
        </button>
      </div>
      {problem && (
        <div class="sf-problem" role="alert">
          {problem}
        </div>
      )}
      {shown ? <Items group={shown} /> : <div class="sf-empty">Nothing was sent yet.</div>}
    </div>
  );
}

function group(rows: Row[]): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    for (const out of row.out) {
      const { kind, where, topic } = out;
      if (kind === "cancel") continue;
      const name =
        kind === "egress" ? `egress ${where}${topic && ` · ${topic}`}` : `${kind} ${where}`;
      let found = groups.get(name);
      if (!found) {
        found = { name, kind, items: [] };
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

function plain({ row, out }: Item) {
  const time = new Date(row.time).toISOString();
  return { ...out, time, from: `${row.typename}/${row.id}` };
}

function save(text: string, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
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
                  {clock(row.time)} #{row.seq}
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
                  onClick={() => navigator.clipboard?.writeText(text)}
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
