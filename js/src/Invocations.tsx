// The table of invocations: filtered, sorted, drawn only where it is seen.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { COLUMNS, fitting, type Sort, type SortField, template } from "./columns";
import { Download } from "./Download";
import { withTerms } from "./filter";
import { useFilter, useRemembered, useStore, useTrait, useVirtual, useWidth } from "./hooks";
import { useNames } from "./names";
import { useLit, useMagnification } from "./Presenter";
import { uniqueName } from "./page";
import { RowLine } from "./RowLine";
import type { Selection } from "./selection";
import { TableHead } from "./TableHead";
import type { Row } from "./wire";

const HEIGHT = 26;

const NEWEST_FIRST: Sort = { field: "seq", descending: true };

export function Invocations() {
  const store = useStore();
  const { rows, selection, text } = useFilter();
  const [selected, setSelected] = useTrait<number>("selected");
  const [sort, setSort] = useState<Sort>(NEWEST_FIRST);
  const [follow, setFollow] = useState(true);
  const sorted = useSorted(rows, selection, store.version, sort);
  return (
    <div class="sf-pane sf-invocations">
      <Table
        rows={sorted}
        sort={sort}
        setSort={setSort}
        follow={follow}
        selected={selected}
        select={setSelected}
        empty={
          text.trim() && store.rows.length
            ? "No invocation matches the filter: take a term away above."
            : "Nothing yet: run s.send(...), or declare a function."
        }
      />
      <div class="sf-bar">
        <label>
          <input
            type="checkbox"
            checked={follow}
            onChange={(event) => setFollow(event.currentTarget.checked)}
          />{" "}
          Follow
        </label>
        <span class="sf-fill" />
        <Download
          name="invocations"
          disabled={rows.length === 0}
          ask={() => ({ what: "invocations", seqs: inOrder(sorted, sort).map((row) => row.seq) })}
        />
      </div>
    </div>
  );
}

/** As a file has them: the oldest first, or as the table is sorted. */
function inOrder(sorted: Row[], { field, descending }: Sort): Row[] {
  return descending && field !== "seq" ? sorted.toReversed() : sorted;
}

/** The rows in another order than they came; made once a second while they pour in. */
function useSorted(rows: Row[], selection: Selection, version: number, sort: Sort): Row[] {
  const cache = useRef({
    sorted: [] as Row[],
    sort: NEWEST_FIRST,
    at: 0,
    of: -1,
    made: -1,
  }).current;
  if (sort.field === "seq") return rows;
  const now = Date.now();
  const stale = cache.sort !== sort || cache.made !== selection.version;
  if (stale || (cache.of !== version && now - cache.at > 1_000)) {
    const sorted = rows.toSorted(compareBy(sort.field));
    Object.assign(cache, { sorted, sort, at: now, of: version, made: selection.version });
  }
  return cache.sorted;
}

function compareBy(field: SortField): (a: Row, b: Row) => number {
  return (a, b) => {
    const left = a[field];
    const right = b[field];
    if (left === right)
      return field === "typename" && a.id !== b.id ? (a.id < b.id ? -1 : 1) : a.seq - b.seq;
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
  empty: string;
}

function Table({ rows, sort, setSort, follow, selected, select, empty }: TableProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const name = useRef(uniqueName()).current;
  const { items, total } = useVirtual(scroller, rows.length, HEIGHT);
  const { text, set } = useFilter();
  const names = useNames();
  const lit = useLit();
  const larger = useMagnification(scroller);
  const columns = fitting(useWidth(scroller) / larger);
  const [widths, setWidths] = useRemembered<Record<string, number>>("columns", {});
  const [active, setActive] = useState(0);
  const at = (index: number) => rows[sort.descending ? rows.length - 1 - index : index];
  useScrollAnchor(scroller, rows, sort, follow);

  const move = (index: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, index));
    if (scroller.current) showRow(scroller.current, next);
    setActive(at(next)?.seq ?? 0);
    if (selected) select(at(next)?.seq ?? 0);
  };
  const place = () => {
    const index = rows.findIndex((row) => row.seq === active);
    if (index < 0) return -1;
    return sort.descending ? rows.length - 1 - index : index;
  };
  const filterBy = (key: string) => {
    const row = rows.find((each) => each.seq === active);
    const by = row && COLUMNS.find((column) => column.key === key)?.filter?.(row);
    if (by) set(withTerms(text, by));
  };
  const page = () => Math.floor((scroller.current?.clientHeight ?? 300) / HEIGHT) - 2;
  const keys: Record<string, () => void> = {
    ArrowDown: () => move(place() + 1),
    ArrowUp: () => move(place() - 1),
    PageDown: () => move(place() + page()),
    PageUp: () => move(place() - page()),
    Home: () => move(0),
    End: () => move(rows.length - 1),
    Enter: () => select(active === selected ? 0 : active),
    Escape: () => select(0),
    f: () => filterBy("address"),
    c: () => filterBy("caller"),
    s: () => filterBy("status"),
  };
  return (
    <div
      class="sf-scroller"
      ref={scroller}
      role="grid"
      aria-label="Invocations"
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length}
      aria-activedescendant={active ? `${name}-${active}` : undefined}
      tabIndex={0}
      style={{ "--sf-columns": template(columns, widths) }}
      onKeyDown={(event) => {
        const action = keys[event.key];
        if (!action || event.target !== event.currentTarget) return;
        event.preventDefault();
        action();
      }}
    >
      <TableHead
        columns={columns}
        sort={sort}
        setSort={setSort}
        resize={(key, width) =>
          setWidths({ ...widths, [key]: Math.max(30, Math.round(width / larger)) })
        }
      />
      <div class="sf-rows" role="rowgroup" style={{ height: `${total}px` }}>
        {items.toSorted(byElement(items.length)).map((item) => {
          const row = at(item.index);
          if (!row) return null;
          const seq = row.seq;
          return (
            <RowLine
              key={item.index % items.length} // rows that rush by keep their elements
              id={`${name}-${seq}`}
              row={row}
              columns={columns}
              names={names}
              top={item.start}
              index={item.index}
              active={seq === active}
              unlit={lit !== null && !lit.has(seq)}
              selected={seq === selected}
              filter={(by) => set(withTerms(text, by))}
              open={() => {
                setActive(seq);
                select(seq === selected ? 0 : seq);
              }}
            />
          );
        })}
      </div>
      {rows.length === 0 && <div class="sf-empty">{empty}</div>}
    </div>
  );
}

/** In the order of their elements, which stay where they are: rows are placed by their offset. */
function byElement(count: number) {
  return (a: { index: number }, b: { index: number }) => (a.index % count) - (b.index % count);
}

/** Scroll so that a row is seen, and not below the head, which stays. */
function showRow(element: HTMLElement, index: number): void {
  const top = index * HEIGHT;
  const seen = element.clientHeight - HEIGHT;
  if (top < element.scrollTop) element.scrollTop = top;
  else if (top + HEIGHT > element.scrollTop + seen) element.scrollTop = top + HEIGHT - seen;
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
