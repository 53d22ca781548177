// The table of invocations: filtered, sorted, drawn only where it is seen.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { COLUMNS, type Column, fitting, type SortField, template } from "./columns";
import { Download } from "./Download";
import { withTerm } from "./filter";
import { isOpenError, outcome } from "./format";
import { useFilter, useRemembered, useStore, useTrait, useVirtual, useWidth } from "./hooks";
import { type Names, useNames } from "./names";
import { useLit } from "./Presenter";
import { uniqueName } from "./page";
import type { Selection } from "./selection";
import type { Row } from "./wire";

const HEIGHT = 26;

interface Sort {
  field: SortField;
  descending: boolean;
}

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
  const columns = fitting(useWidth(scroller));
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
      <Head
        columns={columns}
        sort={sort}
        setSort={setSort}
        resize={(key, width) => setWidths({ ...widths, [key]: Math.max(30, Math.round(width)) })}
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

/** A filter with more terms, each in the place of one of its field. */
function withTerms(text: string, terms: string): string {
  return (terms.match(/(?:[^\s"]|"[^"]*")+/g) ?? []).reduce(withTerm, text);
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

/** Pixels that a key makes a column wider. */
const STEPS: Record<string, number> = { ArrowLeft: -16, ArrowRight: 16 };

interface HeadProps {
  columns: Column[];
  sort: Sort;
  setSort: (sort: Sort) => void;
  resize: (key: string, width: number) => void;
}

function Head({ columns, sort, setSort, resize }: HeadProps) {
  return (
    <div class="sf-row sf-head" role="row" aria-rowindex={1}>
      {columns.map(({ key, name, field }) => {
        const sorted = sort.field === field;
        const direction = sort.descending ? "descending" : "ascending";
        const label = key === "status" ? "status" : name;
        return (
          <div
            key={key}
            role="columnheader"
            class={`sf-c-${key}`}
            aria-sort={sorted ? direction : "none"}
          >
            <button
              type="button"
              aria-label={label}
              title={`Sort by ${label}; Shift with the left or right arrow sizes the column`}
              onKeyDown={(event) => {
                const by = event.shiftKey ? STEPS[event.key] : undefined;
                const cell = event.currentTarget.parentElement;
                if (!by || !cell) return;
                event.preventDefault();
                resize(key, cell.getBoundingClientRect().width + by);
              }}
              onClick={() => setSort({ field, descending: sorted ? !sort.descending : true })}
            >
              {name}
              {sorted && <span aria-hidden="true">{sort.descending ? " ▼" : " ▲"}</span>}
            </button>
            <Handle resize={(width) => resize(key, width)} />
          </div>
        );
      })}
    </div>
  );
}

/** The right edge of a head: dragged, the column is as wide as that. */
function Handle({ resize }: { resize: (width: number) => void }) {
  return (
    <span
      class="sf-handle"
      aria-hidden="true"
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => {
        const handle = event.currentTarget;
        if (!handle.hasPointerCapture(event.pointerId) || !handle.parentElement) return;
        resize(event.clientX - handle.parentElement.getBoundingClientRect().left);
      }}
    />
  );
}

interface RowLineProps {
  id: string;
  row: Row;
  columns: Column[];
  names: Names;
  top: number;
  index: number;
  active: boolean;
  unlit: boolean;
  selected: boolean;
  filter: (terms: string) => void;
  open: () => void;
}

function RowLine({
  id,
  row,
  columns,
  names,
  top,
  index,
  active,
  unlit,
  selected,
  filter,
  open,
}: RowLineProps) {
  const [hovered, setHovered] = useState(false);
  const failed = row.status !== "ok";
  const classes = [
    "sf-row",
    "sf-line",
    isOpenError(row) && "sf-failed",
    row.repaired && "sf-repaired",
    active && "sf-active",
    unlit && "sf-unlit",
  ];
  // What failed has changed and sent nothing: its error has that room.
  const room = columns.filter(({ key }) => key === "change" || key === "sent").length;
  return (
    <div
      id={id}
      class={classes.filter(Boolean).join(" ")}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      style={{ transform: `translateY(${top}px)` }}
      onClick={open}
      onPointerEnter={() => setHovered(true)}
      onPointerLeave={() => setHovered(false)}
    >
      {columns.map((column, place) => {
        const { key } = column;
        if (failed && key === "sent" && room > 1) return null;
        const words = failed && key === "change" ? outcome(row) : column.text(row, names);
        const by = column.filter?.(row) ?? "";
        return (
          <div
            key={key}
            class={`sf-c-${key}`}
            role="gridcell"
            aria-colindex={place + 1}
            title={key === "status" ? outcome(row) : words}
            style={failed && key === "change" && room > 1 ? { gridColumn: "span 2" } : undefined}
          >
            {key === "status" && <span class="sf-hidden">{row.status} </span>}
            <bdi>{words}</bdi>
            {hovered && by && key !== "status" && (
              <button
                type="button"
                class="sf-by"
                tabIndex={-1}
                aria-label={`Filter by ${by}`}
                title={`Filter by ${by}`}
                onClick={(event) => {
                  event.stopPropagation();
                  filter(by);
                }}
              >
                ⊃
              </button>
            )}
          </div>
        );
      })}
    </div>
  );
}
