// The columns of the invocations: what each shows, how wide it is, and what it is filtered by.
import { addressFilter, splitAddress, term } from "./filter";
import { clock, milliseconds } from "./format";
import type { Names } from "./names";
import type { Out, Row } from "./wire";

export type SortField = Exclude<keyof Row, "out" | "repaired">;

export interface Sort {
  field: SortField;
  descending: boolean;
}

export interface Column {
  key: string;
  name: string;
  /** What of a row it is sorted by. */
  field: SortField;
  /** As CSS has it, in letters: it grows with the type. */
  width: string;
  text: (row: Row, names: Names) => string;
  /** The filter that a cell stands for; "" for none. */
  filter?: (row: Row) => string;
}

export const COLUMNS: Column[] = [
  {
    key: "time",
    name: "time",
    field: "seq",
    width: "7.4em",
    text: (row) => clock(row.time),
    filter: (row) => `seq>=${row.seq}`,
  },
  {
    key: "address",
    name: "address",
    field: "typename",
    width: "minmax(8.5em,1.3fr)",
    text: (row, names) => names.address(row.typename, row.id),
    filter: (row) => addressFilter(row.typename, row.id),
  },
  {
    key: "caller",
    name: "from",
    field: "caller",
    width: "minmax(5.4em,1fr)",
    text: (row, names) => (row.caller ? names.text(row.caller) : "ingress"),
    filter: (row) => (row.caller ? term("caller", splitAddress(row.caller)[0]) : "caller:ingress"),
  },
  {
    key: "message",
    name: "message",
    field: "message",
    width: "minmax(7em,1.7fr)",
    text: (row) => row.message,
    filter: messageFilter,
  },
  {
    key: "change",
    name: "state change",
    field: "change",
    width: "minmax(7em,1.7fr)",
    text: (row) => row.change,
    filter: changeFilter,
  },
  {
    key: "sent",
    name: "sent",
    field: "outs",
    width: "minmax(6.2em,1.2fr)",
    text: sentText,
    filter: (row) => (row.out[0]?.where ? term("sent", row.out[0].where) : ""),
  },
  {
    key: "ms",
    name: "ms",
    field: "ms",
    width: "4.5em",
    text: (row) => milliseconds(row.ms),
    filter: (row) => `ms>=${row.ms}`,
  },
  {
    key: "status",
    name: "✓",
    field: "status",
    width: "2.8em",
    text: sign,
    filter: (row) => `status:${row.status.split(" ", 1)[0]}`,
  },
];

/** Those with the same words; a search is not for quotation marks. */
function messageFilter({ message }: Row): string {
  const words = message.replaceAll('"', "");
  return words && term("message", words);
}

/** Those that failed alike, or that changed the same value. */
function changeFilter({ error, change }: Row): string {
  const [first = ""] = (error || change).split(":", 1);
  return first && term(error ? "error" : "state", first);
}

/** A sign of its own for each status: colour alone says nothing. */
export function sign({ status, repaired }: Pick<Row, "status" | "repaired">): string {
  if (status === "ok") return "✓";
  if (status === "rolled back") return "↶";
  return repaired ? "✓✗" : "✗";
}

function sentText(row: Row, names: Names): string {
  const [first] = row.out;
  if (!first) return "";
  return outText(first, names) + (row.outs > 1 ? ` +${row.outs - 1}` : "");
}

function outText({ kind, where, id, topic, key }: Out, names: Names): string {
  if (kind === "cancel") return `cancel ${key}`;
  if (kind === "egress") return `⇥ ${topic || names.type(where)}`;
  return `${kind === "delayed" ? "⇢" : "→"} ${names.address(where, id)}`;
}

/** The columns as CSS has them; a width that a person has set is one of pixels. */
export function template(columns: Column[], widths: Record<string, number>): string {
  return columns
    .map(({ key, width }) => {
      const own = widths[key];
      return own === undefined ? width : `calc(${own}px * var(--sf-magnification))`;
    })
    .join(" ");
}

/** Of a narrow table, in pixels of type as it is usual, the columns go that the opened row has, too. */
export function fitting(width: number): Column[] {
  const gone = new Set<string>();
  if (width < 900) gone.add("caller");
  if (width < 700) gone.add("ms");
  if (width < 600) gone.add("sent");
  if (width < 480) gone.add("time");
  if (width < 400) gone.add("change");
  return COLUMNS.filter(({ key }) => !gone.has(key));
}
