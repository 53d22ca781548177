// Which invocation is of which message that was sent from the form: a row names no message.
import type { Store } from "./store";
import type { Row } from "./wire";

export interface Sent {
  readonly typename: string;
  readonly id: string;
  readonly text: string;
  /** The newest invocation when it was sent: what came of it is behind. */
  readonly after: number;
  /** When it is to be served, by the session's clock in milliseconds. */
  readonly due: number;
  /** Its invocation, once it is known; it may be kept no longer than here. */
  row: Row | undefined;
}

/** The clocks of browser and session may differ by so much while an update is on its way. */
const SLACK_MS = 1_000;

/** Give each message, the newest first, its own row: those first that were due first. */
export function find(sent: readonly Sent[], store: Pick<Store, "first" | "since" | "row">): void {
  const oldest = Math.min(...sent.map(({ after }) => after));
  const rows = store.since(oldest).filter(isLast);
  const taken = new Set<number>();
  const open = sent
    .filter((each) => !(each.row && each.row.seq < store.first))
    .toReversed()
    .toSorted((a, b) => a.due - b.due);
  const found = new Map<Sent, Row>();
  for (const alike of [sameText, () => true]) {
    for (const each of open) {
      if (found.has(each)) continue;
      const row = rows.find(
        (row) => !taken.has(row.seq) && mayBe(each, row) && alike(each.text, row.message),
      );
      if (!row) continue;
      taken.add(row.seq);
      found.set(each, row);
    }
  }
  for (const each of open) {
    const before = each.row && !taken.has(each.row.seq) ? each.row : undefined;
    each.row = found.get(each) ?? (before && (store.row(before.seq) ?? before));
  }
}

/** Is it too late to find its row, because the trace has dropped it? */
export function isLost(sent: Sent, store: Pick<Store, "first" | "row">): boolean {
  const oldest = store.row(store.first);
  return !sent.row && sent.after + 1 < store.first && (oldest?.time ?? 0) > sent.due;
}

/** What was undone, or repaired since, has come again: the row that counts is another one. */
function isLast({ status, repaired, caller }: Row): boolean {
  return caller === "" && !repaired && status !== "rolled back";
}

function mayBe(sent: Sent, row: Row): boolean {
  return (
    row.seq > sent.after &&
    row.typename === sent.typename &&
    row.id === sent.id &&
    row.time >= sent.due - SLACK_MS
  );
}

/** As it was typed, and as Python writes the value: without what JSON and Python write differently. */
function sameText(typed: string, message: string): boolean {
  const plain = (text: string) => text.replaceAll(/["'\s]/g, "").toLowerCase();
  return plain(typed) === plain(message);
}
