// Rows for tests.
import type { Header, Out, Row, Update, WireOut, WireRow } from "../src/wire";

export function row(seq: number, more: Partial<Row> = {}): Row {
  return {
    seq,
    time: 1_000 + seq,
    typename: "example/person",
    id: "bob",
    caller: "",
    message: "hello",
    change: "",
    out: [],
    outs: 0,
    ms: 0.5,
    status: "ok",
    error: "",
    repaired: false,
    cause: 0,
    ...more,
  };
}

export function out(more: Partial<Out>): Out {
  return { kind: "message", where: "", id: "", topic: "", key: "", text: "", ...more };
}

function encodeOut({ kind, where, id, topic, key, text }: Out): WireOut {
  return [kind, where, id, topic, key, text];
}

/** A row as the kernel sends it. */
function encodeRow(row: Row): WireRow {
  return [
    row.seq,
    row.time,
    row.typename,
    row.id,
    row.caller,
    row.message,
    row.change,
    row.out.map(encodeOut),
    row.outs,
    row.ms,
    row.status,
    row.error,
    row.repaired,
    row.cause,
  ];
}

export const HEADER: Header = {
  engine: "embedded",
  state: "running",
  health: "",
  url: "",
  web_url: "",
  now: 0,
  ticks: true,
  processed: 0,
  in_flight: 0,
  queued: 0,
  parked: 0,
  delayed: 0,
  errors: 0,
  repaired: 0,
  traced: 0,
  rate: 0,
  p50: 0,
  p99: 0,
  running: [],
  functions: [],
  editable: true,
};

export function update(rows: Row[], more: Partial<Update> = {}): Update {
  return {
    kind: "update",
    number: 1,
    first: 0,
    header: HEADER,
    rows: rows.map(encodeRow),
    waiting: 0,
    missed: 0,
    edges: [],
    jumps: [],
    types: {},
    ...more,
  };
}
