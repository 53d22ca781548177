// What goes between kernel and browser; statefun_nb/views/wire.py says the same in Python.

/** A value as the kernel cut it; see statefun_nb/views/tree.py. */
export type Node =
  | null
  | boolean
  | number
  | string
  | ["list", Node[], number]
  | ["map", [string, Node][], number]
  | ["text", string, number]
  | ["bytes", string, number]
  | ["number", string]
  | ["object", string]
  | ["deep"];

/** What became of an invocation; "rolled back": undone, for another one of its batch failed. */
export type Status = "ok" | "error" | "rolled back";

export type OutKind = "message" | "delayed" | "egress" | "cancel";

/** One thing that an invocation sent, at a glance: `where` is a typename, `id` the target's. */
export interface Out {
  readonly kind: OutKind;
  readonly where: string;
  readonly id: string;
  readonly topic: string;
  readonly key: string;
  readonly text: string;
}

/**
 * One invocation at a glance; `time` in milliseconds since the epoch, `cause` 0: none. `repaired`
 * says of an error that its message has gone through since.
 */
export interface Row {
  readonly seq: number;
  readonly time: number;
  readonly typename: string;
  readonly id: string;
  readonly caller: string;
  readonly message: string;
  readonly change: string;
  readonly out: readonly Out[];
  readonly outs: number;
  readonly ms: number;
  readonly status: Status;
  readonly error: string;
  readonly repaired: boolean;
  readonly cause: number;
}

/** Messages from one node to another. */
export interface Edge {
  readonly kind: "message" | "egress";
  readonly source: string;
  readonly target: string;
  readonly messages: number;
}

// What there is most of comes as arrays: names in each would be most of what is sent.

export type WireOut = [
  kind: OutKind,
  where: string,
  id: string,
  topic: string,
  key: string,
  text: string,
];

export type WireRow = [
  seq: number,
  time: number,
  typename: string,
  id: string,
  caller: string,
  message: string,
  change: string,
  out: WireOut[],
  outs: number,
  ms: number,
  status: Status,
  error: string,
  repaired: boolean,
  cause: number,
];

export type WireEdge = [
  kind: "message" | "egress",
  source: string,
  target: string,
  messages: number,
];

// Each decoder ends in one literal: so all rows share one shape, and are as small as the arrays.

export function decodeOut([kind, where, id, topic, key, text]: WireOut): Out {
  return { kind, where, id, topic, key, text };
}

export function decodeRow(row: WireRow): Row {
  const [
    seq,
    time,
    typename,
    id,
    caller,
    message,
    change,
    out,
    outs,
    ms,
    status,
    error,
    repaired,
    cause,
  ] = row;
  return {
    seq,
    time,
    typename,
    id,
    caller,
    message,
    change,
    out: out.map(decodeOut),
    outs,
    ms,
    status,
    error,
    repaired,
    cause,
  };
}

export function decodeEdge([kind, source, target, messages]: WireEdge): Edge {
  return { kind, source, target, messages };
}

export interface Header {
  engine: string;
  state: "running" | "paused" | "stopped" | "ended" | "broken";
  health: string;
  url: string;
  web_url: string;
  now: number;
  ticks: boolean;
  processed: number;
  in_flight: number;
  queued: number;
  parked: number;
  delayed: number;
  errors: number;
  repaired: number;
  traced: number;
  rate: number;
  p50: number;
  p99: number;
  running: string[];
  functions: string[];
  editable: boolean;
}

/**
 * Will nothing be served any more? "ended" is a session whose thread ended without a stop, "broken"
 * one whose file cannot be written any more.
 */
export function isOver({ state }: Pick<Header, "state">): boolean {
  return state === "stopped" || state === "ended" || state === "broken";
}

export interface Update {
  kind: "update";
  number: number;
  first: number;
  header: Header;
  rows: WireRow[];
  waiting: number;
  missed: number;
  edges: WireEdge[];
  types: Record<string, [invocations: number, errors: number, repaired: number]>;
  jumps: Jump[];
}

/** The session's clock was moved: its time before and after. */
export type Jump = [before: number, after: number];

/** The answer to a call: a result, or an error in words. */
export interface CallReply {
  kind: "reply";
  id: string;
  result?: unknown;
  error?: string;
}

export interface Problem {
  kind: "problem";
  text: string;
}

export interface DetailOut {
  kind: OutKind;
  where: string;
  id?: string;
  topic?: string;
  key?: string;
  delay?: string;
  type?: string;
  value?: Node;
}

/** A frame of a traceback; of the user's own code with the lines around. */
export interface Frame {
  place: string;
  line: number;
  function: string;
  own: boolean;
  code: [number: number, text: string][];
}

export interface DetailError {
  type: string;
  message: Node;
  traceback: Node;
  frames: Frame[];
  retries: number;
  repaired: boolean;
}

export interface Detail {
  seq: number;
  message_type: string;
  message: Node;
  text: string | null;
  before: Node;
  after: Node;
  out: DetailOut[];
  stdout: Node;
  error: DetailError | null;
  function_version: number;
  batch: number;
}

export interface StateValue {
  name: string;
  type: string;
  present: boolean;
  value: Node;
  text: string | null;
  expires: number;
}

export interface StateRow {
  id: string;
  exact: boolean;
  values: StateValue[];
  seq: number;
  time: number;
  by: string;
}

export interface StatePage {
  types: Record<string, number>;
  typename: string;
  total: number;
  /** So many are shown at most. */
  most: number;
  /** The newest of them, among which an order was made. */
  ordered: number;
  observed: boolean;
  undoable: number;
  rows: StateRow[];
}

export interface HistoryEntry {
  readonly row: Row;
  readonly before: Node;
  readonly after: Node;
  /** Who set it by hand; "" for an invocation. */
  readonly by: string;
}

export interface WireHistoryEntry {
  row: WireRow;
  before: Node;
  after: Node;
  by: string;
}

export function decodeHistoryEntry({ row, ...rest }: WireHistoryEntry): HistoryEntry {
  return { row: decodeRow(row), ...rest };
}

export interface Matches {
  seqs: number[];
  upto: number;
}

export interface TimerRow {
  number: number;
  due: number;
  owner: string;
  token: string;
  typename: string;
  id: string;
  text: string;
}

/** What the form offers beside a guess; the kernel knows them by these names. */
export const MESSAGE_TYPES = [
  "str",
  "int",
  "float",
  "bool",
  "JSON",
  "sf.IntType",
  "sf.FloatType",
] as const;

/** Seconds that a message may be delayed by; the kernel has the same limit. */
export const LONGEST_DELAY = 250_000_000_000;

export interface TimerPage {
  now: number;
  total: number;
  rows: TimerRow[];
}

export interface WaitingMessage {
  caller: string;
  type: string;
  text: string;
  edit: string | null;
  /** When it came to its address, in milliseconds; 0: not known. */
  came: number;
}

/** An address whose messages wait; `since` and `next` in milliseconds, 0: not known. */
export interface WaitingRow {
  typename: string;
  id: string;
  exact: boolean;
  why: "parked" | "undeclared" | "backing off" | "queued" | "running";
  retriable: boolean;
  discardable: boolean;
  reason: string;
  line: string;
  attempts: number;
  waiting: number;
  since: number;
  next: number;
  seq: number;
  messages: WaitingMessage[];
}

/** Of the type and the id that were asked for. */
export interface WaitingPage {
  typename: string;
  id: string;
  total: number;
  rows: WaitingRow[];
}

export interface FunctionState {
  name: string;
  type: string;
  expires: string;
}

/** `durations[i]` counts the last invocations below 0.01 * 2**i ms. */
export interface FunctionRow {
  typename: string;
  declared: boolean;
  version: number;
  is_async: boolean;
  place: string;
  source: string;
  state: FunctionState[];
  addresses: number;
  waiting: number;
  parked: number;
  takes: string[];
  p50: number;
  p99: number;
  durations: number[];
}

export interface FunctionPage {
  rows: FunctionRow[];
}
