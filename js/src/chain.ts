// The causal chain of an invocation: what led to it, and what it led to.
import type { Store } from "./store";
import type { Row } from "./wire";

const MOST = 500;

export interface Link {
  row: Row;
  depth: number;
}

/** The invocations that an invocation caused, by the order they started. */
export function effects(rows: Row[], seq: number, from = 0): Row[] {
  const found: Row[] = [];
  for (let index = from; index < rows.length; index++) {
    const row = rows[index];
    if (row && row.cause === seq) found.push(row);
  }
  return found;
}

/** The first cause that is still kept. */
export function root(store: Store, seq: number): Row | undefined {
  let row = store.row(seq);
  for (let steps = 0; row?.cause && steps < MOST; steps++) {
    const cause = store.row(row.cause);
    if (!cause) break;
    row = cause;
  }
  return row;
}

/** The whole chain around an invocation, from its first cause down; at most 500 links. */
export function chain(store: Store, seq: number): Link[] {
  const first = root(store, seq);
  if (!first) return [];
  const children = new Map<number, Row[]>();
  for (const row of store.rows) {
    if (row.seq <= first.seq || !row.cause) continue;
    const siblings = children.get(row.cause);
    if (siblings) siblings.push(row);
    else children.set(row.cause, [row]);
  }
  const links: Link[] = [];
  const stack: Link[] = [{ row: first, depth: 0 }];
  while (stack.length && links.length < MOST) {
    const link = stack.pop() as Link;
    links.push(link);
    const next = children.get(link.row.seq) ?? [];
    for (const row of next.toReversed()) stack.push({ row, depth: link.depth + 1 });
  }
  return links;
}
