// The table of invocations: filtered, sorted, drawn only where it is seen.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Detail } from "./Detail";
import { FIELDS, parseFilter } from "./filter";
import { clock, count, isOpenError, milliseconds, outcome } from "./format";
import { useStore, useTrait, useVirtual } from "./hooks";
import type { Store } from "./store";
import type { Out, Row } from "./wire";

const HEIGHT = 26;

type SortField = Exclude<keyof Row, "out" | "repaired">;

interface Column {
  name: string;
  /** What of a row it is sorted by. */
  field: SortField;
  class: string;
}

const COLUMNS: Column[] = [
  { name: "time", field: "seq", class: "sf-c-time" },
  { name: "function", field: "typename", class: "sf-c-function" },
  { name: "id", field: "id", class: "sf-c-id" },
  { name: "caller", field: "caller", class: "sf-c-caller" },
  { name: "message", field: "message", class: "sf-c-message" },
  { name: "state change", field: "change", class: "sf-c-change" },
  { name: "sent", field: "outs", class: "sf-c-sent" },
  { name: "ms", field: "ms", class: "sf-c-ms" },
  { name: "status", field: "status", class: "sf-c-status" },
];

interface Sort {
  field: SortField;
  descending: boolean;
}

const NEWEST_FIRST: Sort = { field: "seq", descending: true };

export function Invocations() {
  const store = useStore();
  const [filter, setFilter] = useTrait<string>("filter");
  const [selected, setSelected] = useTrait<number>("selected");
  const [sort, setSort] = useState<Sort>(NEWEST_FIRST);
  const [follow, setFollow] = useState(true);
  const parsed = useMemo(() => parseFilter(filter), [filter]);
  const rows = useRows(store, filter, sort);
  return (
    <div class="sf-invocations">
      <div class="sf-bar">
        <label class="sf-grow">
          <span class="sf-hidden">Filter invocations</span>
          <input
            type="search"
            class="sf-filter"
            placeholder={`Filter: ${FIELDS.slice(0, 4).join(": ")}: or any text`}
            value={filter}
            title={`Terms: ${FIELDS.map((each) => `${each}:`).join(" ")}, -term for not, * for anything`}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </label>
        <label>
          <input
            type="checkbox"
            checked={follow}
            onChange={(event) => setFollow(event.currentTarget.checked)}
          />{" "}
          Follow
        </label>
        <span class="sf-dim" role="status">
          {count(rows.length)} of {count(store.rows.length)}
          {store.waiting > 0 && `, ${count(store.waiting)} to come`}
        </span>
      </div>
      {parsed.problem && (
        <div class="sf-problem" role="alert">
          {parsed.problem}
        </div>
      )}
      <div class="sf-split" key="split">
        <Table
          rows={rows}
          sort={sort}
          setSort={setSort}
          follow={follow}
          selected={selected}
          select={setSelected}
        />
        {selected !== 0 && <Detail seq={selected} select={setSelected} />}
      </div>
    </div>
  );
}

/** The rows to show. New ones are filtered as they come; another order is made once a second. */
function useRows(store: Store, filter: string, sort: Sort): Row[] {
  const cache = useRef({
    filter: "",
    reordered: -1,
    seen: 0,
    rows: [] as Row[],
    sorted: [] as Row[],
    sort: NEWEST_FIRST,
    sortedAt: 0,
    sortedOf: -1,
  }).current;
  const { test } = useMemo(() => parseFilter(filter), [filter]);
  const stale = cache.filter !== filter || cache.reordered !== store.reordered;
  if (stale) {
    cache.rows = filter.trim() ? store.rows.filter(test) : store.rows.slice();
  } else {
    for (let index = cache.seen; index < store.rows.length; index++) {
      const row = store.rows[index] as Row;
      if (test(row)) cache.rows.push(row);
    }
  }
  cache.filter = filter;
  cache.reordered = store.reordered;
  cache.seen = store.rows.length;
  if (sort.field === "seq") return cache.rows;
  const now = Date.now();
  const due = stale || cache.sort !== sort || now - cache.sortedAt > 1_000;
  if (due && (cache.sortedOf !== store.version || stale || cache.sort !== sort)) {
    cache.sorted = cache.rows.toSorted(compareBy(sort.field));
    Object.assign(cache, { sort, sortedAt: now, sortedOf: store.version });
  }
  return cache.sorted;
}

function compareBy(field: SortField): (a: Row, b: Row) => number {
  return (a, b) => {
    const left = a[field];
    const right = b[field];
    if (left === right) return a.seq - b.seq;
    return left < right ? -1 : 1;
  };
}

interface TableProps {
  rows: Row[];
  sort: Sort;
  setSort: (sort: Sort) => void;
  follow: boolean;
  selected: number;
  select: (seq: number) => void;
}

function Table({ rows, sort, setSort, follow, selected, select }: TableProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const name = useRef(`sf-${crypto.randomUUID()}`).current;
  const { items, total, virtualizer } = useVirtual(scroller, rows.length, HEIGHT);
  const [active, setActive] = useState(0);
  const at = (index: number) => rows[sort.descending ? rows.length - 1 - index : index];
  useScrollAnchor(scroller, rows, sort, follow);

  const move = (index: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, index));
    virtualizer.scrollToIndex(next);
    setActive(at(next)?.seq ?? 0);
    if (selected) select(at(next)?.seq ?? 0);
  };
  const place = () => {
    const index = rows.findIndex((row) => row.seq === active);
    if (index < 0) return -1;
    return sort.descending ? rows.length - 1 - index : index;
  };
  const page = () => Math.floor((scroller.current?.clientHeight ?? 300) / HEIGHT) - 1;
  const keys: Record<string, () => void> = {
    ArrowDown: () => move(place() + 1),
    ArrowUp: () => move(place() - 1),
    PageDown: () => move(place() + page()),
    PageUp: () => move(place() - page()),
    Home: () => move(0),
    End: () => move(rows.length - 1),
    Enter: () => select(active === selected ? 0 : active),
    Escape: () => select(0),
  };
  return (
    <div
      class="sf-scroller"
      ref={scroller}
      role="grid"
      aria-label="Invocations"
      aria-rowcount={rows.length + 1}
      aria-colcount={COLUMNS.length}
      aria-activedescendant={active ? `${name}-${active}` : undefined}
      tabIndex={0}
      onKeyDown={(event) => {
        const action = keys[event.key];
        if (!action) return;
        event.preventDefault();
        action();
      }}
    >
      <Head sort={sort} setSort={setSort} />
      <div class="sf-rows" role="rowgroup" style={{ height: `${total}px` }}>
        {items.map((item) => {
          const row = at(item.index);
          if (!row) return null;
          const seq = row.seq;
          return (
            <RowLine
              key={item.index} // not seq: rows that rush by keep their elements
              id={`${name}-${seq}`}
              row={row}
              top={item.start}
              index={item.index}
              active={seq === active}
              selected={seq === selected}
              open={() => {
                setActive(seq);
                select(seq === selected ? 0 : seq);
              }}
            />
          );
        })}
      </div>
      {rows.length === 0 && <div class="sf-empty">Nothing to show yet.</div>}
    </div>
  );
}

/** Follow the newest, or else keep what is being read where it is while rows come in above. */
function useScrollAnchor(
  scroller: preact.RefObject<HTMLElement | null>,
  rows: Row[],
  sort: Sort,
  follow: boolean,
): void {
  const before = useRef({ count: 0, last: 0 });
  const last = rows.at(-1)?.seq ?? 0;
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element || sort.field !== "seq") return;
    const grown = rows.length - before.current.count;
    if (follow) {
      const end = sort.descending ? 0 : element.scrollHeight;
      if (last !== before.current.last) element.scrollTop = end;
    } else if (sort.descending && grown > 0 && element.scrollTop > 0) {
      element.scrollTop += grown * HEIGHT;
    }
    before.current = { count: rows.length, last };
  }, [rows.length, last, follow, sort]);
  useEffect(() => {
    before.current.last = 0;
  }, [follow, sort]);
}

function Head({ sort, setSort }: { sort: Sort; setSort: (sort: Sort) => void }) {
  return (
    <div class="sf-row sf-head" role="row" aria-rowindex={1}>
      {COLUMNS.map(({ name, field, class: width }) => {
        const sorted = sort.field === field;
        const direction = sort.descending ? "descending" : "ascending";
        return (
          <div key={name} role="columnheader" class={width} aria-sort={sorted ? direction : "none"}>
            <button
              type="button"
              tabIndex={-1}
              onClick={() => setSort({ field, descending: sorted ? !sort.descending : true })}
            >
              {name}
              {sorted && <span aria-hidden="true">{sort.descending ? " ▼" : " ▲"}</span>}
            </button>
          </div>
        );
      })}
    </div>
  );
}

interface RowLineProps {
  id: string;
  row: Row;
  top: number;
  index: number;
  active: boolean;
  selected: boolean;
  open: () => void;
}

function RowLine({ id, row, top, index, active, selected, open }: RowLineProps) {
  const classes = ["sf-row", "sf-line", isOpenError(row) && "sf-failed", active && "sf-active"];
  const cells: [string, string][] = [
    ["sf-c-time", clock(row.time)],
    ["sf-c-function", row.typename],
    ["sf-c-id", row.id],
    ["sf-c-caller", row.caller || "ingress"],
    ["sf-c-message", row.message],
    ["sf-c-change", row.change],
    ["sf-c-sent", sentText(row)],
    ["sf-c-ms", milliseconds(row.ms)],
    ["sf-c-status", outcome(row)],
  ];
  return (
    <div
      id={id}
      class={classes.filter(Boolean).join(" ")}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      style={{ transform: `translateY(${top}px)` }}
      onClick={open}
    >
      {cells.map(([width, text]) => (
        <div key={width} class={width} role="gridcell" title={text}>
          <bdi>{text}</bdi>
        </div>
      ))}
    </div>
  );
}

function sentText(row: Row): string {
  const [first] = row.out;
  if (!first) return "";
  const more = row.outs > 1 ? ` +${row.outs - 1}` : "";
  return outText(first) + more;
}

function outText({ kind, where, id, topic, key }: Out): string {
  if (kind === "cancel") return `cancel ${key}`;
  if (kind === "egress") return `⇥ ${where}${topic ? ` ${topic}` : ""}`;
  return `${kind === "delayed" ? "⇢" : "→"} ${where}/${id}`;
}
