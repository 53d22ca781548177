// The head of the table of invocations: a click sorts by a column, its edge sizes it.
import type { Column, Sort } from "./columns";

/** Pixels that a key makes a column wider. */
const STEPS: Record<string, number> = { ArrowLeft: -16, ArrowRight: 16 };

interface TableHeadProps {
  columns: Column[];
  sort: Sort;
  setSort: (sort: Sort) => void;
  resize: (key: string, width: number) => void;
}

export function TableHead({ columns, sort, setSort, resize }: TableHeadProps) {
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
