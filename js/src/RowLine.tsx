// One row of the table of invocations.
import { useState } from "preact/hooks";
import type { Column } from "./columns";
import { isOpenError, outcome } from "./format";
import type { Names } from "./names";
import type { Row } from "./wire";

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

export function RowLine({
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
