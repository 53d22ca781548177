// The order of a table of state where no kernel makes it; statefun_nb/views/state_page.py is the same.
import type { StateRow } from "./wire";

const STATE = "state.";

type Key = readonly [isText: boolean, value: number | string];

/** By "id", or by a state value as "state.n": numbers, then texts, what is not there at the end. */
export function inOrder(rows: StateRow[], sort: string, descending: boolean): StateRow[] {
  if (!sort) return rows;
  const sign = descending ? -1 : 1;
  return rows
    .map((row) => ({ row, key: keyOf(row, sort) }))
    .toSorted(({ key: left }, { key: right }) => {
      if (!left || !right) return Number(!left) - Number(!right);
      return sign * compared(left, right);
    })
    .map(({ row }) => row);
}

function keyOf(row: StateRow, sort: string): Key | null {
  if (!sort.startsWith(STATE)) return [true, row.id];
  const value = row.values.find(({ name }) => name === sort.slice(STATE.length));
  if (!value?.present || value.value === null) return null;
  const node = value.value;
  if (typeof node === "number") return [false, node];
  return [true, typeof node === "string" ? node : JSON.stringify(node)];
}

function compared([leftIsText, left]: Key, [rightIsText, right]: Key): number {
  if (leftIsText !== rightIsText) return leftIsText ? 1 : -1;
  return left === right ? 0 : left < right ? -1 : 1;
}
