// Rows for tests.
import type { Header, Row, Update } from "../src/wire";

export function row(seq: number, more: Partial<Record<string, unknown>> = {}): Row {
  const given = {
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
    cause: 0,
    ...more,
  };
  return [
    seq,
    given.time,
    given.typename,
    given.id,
    given.caller,
    given.message,
    given.change,
    given.out,
    given.outs,
    given.ms,
    given.status,
    given.error,
    given.cause,
  ] as Row;
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
    rows,
    waiting: 0,
    missed: 0,
    edges: [],
    types: {},
    ...more,
  };
}
