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

export type OutKind = "message" | "delayed" | "egress" | "cancel";

/** kind, where (a typename), id of the target, topic, key or token, text. */
export type Out = [OutKind, string, string, string, string, string];

/** One invocation at a glance, as it comes; the names of its places are in `ROW`. */
export type Row = [
  seq: number,
  time: number,
  typename: string,
  id: string,
  caller: string,
  message: string,
  change: string,
  out: Out[],
  outs: number,
  ms: number,
  status: "ok" | "error",
  error: string,
  cause: number,
];

export const ROW = {
  seq: 0,
  time: 1,
  typename: 2,
  id: 3,
  caller: 4,
  message: 5,
  change: 6,
  out: 7,
  outs: 8,
  ms: 9,
  status: 10,
  error: 11,
  cause: 12,
} as const;

export interface Header {
  engine: string;
  state: "running" | "paused" | "stopped";
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
  traced: number;
  rate: number;
  p50: number;
  p99: number;
  running: string[];
  functions: string[];
  editable: boolean;
}

export type Edge = [kind: "message" | "egress", source: string, target: string, count: number];

export interface Update {
  kind: "update";
  number: number;
  first: number;
  header: Header;
  rows: Row[];
  waiting: number;
  missed: number;
  edges: Edge[];
  types: Record<string, [invocations: number, errors: number]>;
}

export interface Reply {
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

export interface Detail {
  seq: number;
  message_type: string;
  message: Node;
  before: Node;
  after: Node;
  out: DetailOut[];
  stdout: Node;
  error: { type: string; message: Node; traceback: Node; retries: number } | null;
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
  observed: boolean;
  undoable: number;
  rows: StateRow[];
}

export interface HistoryEntry {
  row: Row;
  before: Node;
  after: Node;
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
  "string",
  "long",
  "int",
  "double",
  "float",
  "boolean",
  "JSON",
] as const;

export interface TimerPage {
  now: number;
  total: number;
  rows: TimerRow[];
}
