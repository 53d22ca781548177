// The fields of both sides are those of one file, which a test in Python compares as well.
import { expect, test } from "vitest";
import fields from "../../tests/views/wire.json";
import { checkDelay } from "../src/Send";
import { FIELDS } from "../src/tokens";
import {
  type CallReply,
  type Detail,
  type DetailError,
  type DetailOut,
  decodeEdge,
  decodeOut,
  decodeRow,
  type Frame,
  type FunctionPage,
  type FunctionRow,
  type FunctionState,
  type Header,
  isOver,
  LONGEST_DELAY,
  type Matches,
  MESSAGE_TYPES,
  type Problem,
  type StatePage,
  type StateRow,
  type StateValue,
  type Status,
  type TimerPage,
  type TimerRow,
  type Update,
  type WaitingMessage,
  type WaitingPage,
  type WaitingRow,
  type WireEdge,
  type WireHistoryEntry,
  type WireOut,
  type WireRow,
} from "../src/wire";

// The compiler refuses a key too many or too few.
const HEADER: Record<keyof Header, true> = {
  engine: true,
  state: true,
  health: true,
  url: true,
  web_url: true,
  now: true,
  ticks: true,
  processed: true,
  in_flight: true,
  queued: true,
  parked: true,
  delayed: true,
  errors: true,
  repaired: true,
  traced: true,
  rate: true,
  p50: true,
  p99: true,
  running: true,
  functions: true,
  editable: true,
};
const UPDATE: Record<keyof Update, true> = {
  kind: true,
  number: true,
  first: true,
  header: true,
  rows: true,
  waiting: true,
  missed: true,
  edges: true,
  types: true,
  jumps: true,
};
const CALL_REPLY: Record<keyof CallReply, true> = {
  kind: true,
  id: true,
  result: true,
  error: true,
};
const PROBLEM: Record<keyof Problem, true> = {
  kind: true,
  text: true,
};
const DETAIL: Record<keyof Detail, true> = {
  seq: true,
  message_type: true,
  message: true,
  text: true,
  before: true,
  after: true,
  out: true,
  stdout: true,
  error: true,
  function_version: true,
  batch: true,
};
const DETAIL_OUT: Record<keyof DetailOut, true> = {
  kind: true,
  where: true,
  id: true,
  topic: true,
  key: true,
  delay: true,
  type: true,
  value: true,
};
const DETAIL_ERROR: Record<keyof DetailError, true> = {
  type: true,
  message: true,
  traceback: true,
  frames: true,
  retries: true,
  repaired: true,
};
const STATE_PAGE: Record<keyof StatePage, true> = {
  types: true,
  typename: true,
  total: true,
  most: true,
  ordered: true,
  observed: true,
  undoable: true,
  rows: true,
};
const STATE_ROW: Record<keyof StateRow, true> = {
  id: true,
  exact: true,
  values: true,
  seq: true,
  time: true,
  by: true,
};
const STATE_VALUE: Record<keyof StateValue, true> = {
  name: true,
  type: true,
  present: true,
  value: true,
  text: true,
  expires: true,
};
const HISTORY_ENTRY: Record<keyof WireHistoryEntry, true> = {
  row: true,
  before: true,
  after: true,
  by: true,
};
const TIMER: Record<keyof TimerRow, true> = {
  number: true,
  due: true,
  owner: true,
  token: true,
  typename: true,
  id: true,
  text: true,
};

const TIMER_PAGE: Record<keyof TimerPage, true> = {
  now: true,
  total: true,
  rows: true,
};
const FRAME: Record<keyof Frame, true> = {
  place: true,
  line: true,
  function: true,
  own: true,
  code: true,
};
const MATCHES: Record<keyof Matches, true> = { seqs: true, upto: true };
const WAITING_MESSAGE: Record<keyof WaitingMessage, true> = {
  caller: true,
  type: true,
  text: true,
  edit: true,
  came: true,
};
const WAITING_ROW: Record<keyof WaitingRow, true> = {
  typename: true,
  id: true,
  exact: true,
  why: true,
  retriable: true,
  discardable: true,
  reason: true,
  line: true,
  attempts: true,
  waiting: true,
  since: true,
  next: true,
  seq: true,
  messages: true,
};
const WAITING_PAGE: Record<keyof WaitingPage, true> = {
  typename: true,
  id: true,
  total: true,
  rows: true,
};
const FUNCTION_STATE: Record<keyof FunctionState, true> = { name: true, type: true, expires: true };
const FUNCTION_ROW: Record<keyof FunctionRow, true> = {
  typename: true,
  declared: true,
  version: true,
  is_async: true,
  place: true,
  source: true,
  state: true,
  addresses: true,
  waiting: true,
  parked: true,
  takes: true,
  p50: true,
  p99: true,
  durations: true,
};
const FUNCTION_PAGE: Record<keyof FunctionPage, true> = { rows: true };
const STATUSES: Record<Status, true> = { ok: true, error: true, "rolled back": true };
const STATES: Record<Header["state"], true> = {
  running: true,
  paused: true,
  stopped: true,
  ended: true,
  broken: true,
};

// A row has no names on the wire: what stands in each place here is the name it must come out by.
const ROW = decodeRow(fields.Row.map((name) => (name === "out" ? [] : name)) as unknown as WireRow);
const OUT = decodeOut(fields.Out as unknown as WireOut);
const EDGE = decodeEdge(fields.Edge as unknown as WireEdge);

test.each([
  ["Row", ROW],
  ["Out", OUT],
  ["Edge", EDGE],
  ["Header", HEADER],
  ["Update", UPDATE],
  ["CallReply", CALL_REPLY],
  ["Problem", PROBLEM],
  ["Detail", DETAIL],
  ["DetailOut", DETAIL_OUT],
  ["DetailError", DETAIL_ERROR],
  ["StatePage", STATE_PAGE],
  ["StateRow", STATE_ROW],
  ["StateValue", STATE_VALUE],
  ["HistoryEntry", HISTORY_ENTRY],
  ["TimerRow", TIMER],
  ["TimerPage", TIMER_PAGE],
  ["Frame", FRAME],
  ["Matches", MATCHES],
  ["WaitingMessage", WAITING_MESSAGE],
  ["WaitingRow", WAITING_ROW],
  ["WaitingPage", WAITING_PAGE],
  ["FunctionState", FUNCTION_STATE],
  ["FunctionRow", FUNCTION_ROW],
  ["FunctionPage", FUNCTION_PAGE],
] as const)("%s has the fields of the kernel's side", (name, here) => {
  expect(Object.keys(here)).toEqual(fields[name]);
});

test("an invocation has a status that the kernel's side knows", () => {
  expect(Object.keys(STATUSES)).toEqual(fields.statuses);
});

test("a session is in a state that the kernel's side knows, and is over in three of them", () => {
  expect(Object.keys(STATES)).toEqual(fields.states);
  const over = (Object.keys(STATES) as Header["state"][]).filter((state) => isOver({ state }));
  expect(over).toEqual(["stopped", "ended", "broken"]);
});

test("each place of a row is what the kernel's side puts there", () => {
  const names = Object.fromEntries(fields.Row.map((name) => [name, name]));
  expect(ROW).toEqual({ ...names, out: [] });
  for (const [found, places] of [
    [OUT, fields.Out],
    [EDGE, fields.Edge],
  ] as const) {
    expect(found).toEqual(Object.fromEntries(places.map((name) => [name, name])));
  }
});

test("the form offers the types that the kernel knows", () => {
  expect([...MESSAGE_TYPES]).toEqual(fields.message_types);
});

test("the form takes the delays that the kernel takes", () => {
  expect(LONGEST_DELAY).toBe(fields.longest_delay);
  expect(checkDelay(String(LONGEST_DELAY))).toBe("");
  expect(checkDelay("")).toBe("");
  expect(checkDelay("1e15")).toContain("at most 250,000,000,000 seconds");
});

test("the filter's names are documented on the kernel's side", () => {
  expect([...FIELDS]).toEqual(fields.filter);
});
