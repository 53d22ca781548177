// What a view knows: the rows the kernel still keeps, the numbers of the header, and the flows.
import {
  decodeEdge,
  decodeRow,
  type Edge,
  type Header,
  type Jump,
  type Row,
  type Update,
} from "./wire";

/** Numbers of the header over time, for the sparklines. */
export interface Samples {
  time: number[];
  rate: number[];
  p50: number[];
  p99: number[];
  queued: number[];
}

const SAMPLES = 240;
/** Seconds that the rate of an edge is of. */
const RATE_SECONDS = 2;

/** A million rows must not fill the browser, whatever the kernel keeps. */
const MOST_ROWS = 200_000;

export class Store {
  rows: Row[] = [];
  header: Header | null = null;
  edges: Edge[] = [];
  rates = new Map<string, number>();
  types: Update["types"] = {};
  waiting = 0;
  /** The oldest invocation that the kernel keeps. */
  first = 0;
  missed = 0;
  /** Why the kernel could not make an update; "" when it could. */
  problem = "";
  samples: Samples = { time: [], rate: [], p50: [], p99: [], queued: [] };
  /** Counts up when rows came or went. */
  version = 0;
  /** Counts up when rows came that are not the newest, or rows went. */
  reordered = 0;
  /** Rows up to this one were cleared from view; what is hidden by that can come back. */
  clearedTo = 0;
  private hidden: Row[] = [];
  /** When the session's clock was moved. */
  jumps: Jump[] = [];

  /** Milliseconds that the session's clock is ahead of this browser's. */
  private clockAhead = 0;
  private listeners = new Set<() => void>();
  private counts: { time: number; edges: Map<string, number> }[] = [];

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(): void {
    for (const listener of [...this.listeners]) listener();
  }

  apply(update: Update, now = Date.now()): void {
    this.header = update.header;
    this.edges = update.edges.map(decodeEdge);
    this.types = update.types;
    this.waiting = update.waiting;
    this.missed = update.missed;
    this.first = update.first;
    this.problem = "";
    this.jumps = update.jumps;
    this.clockAhead = update.header.now - now;
    this.sample(update.header, now / 1000);
    this.measureEdges(now / 1000);
    const rows = update.rows.map(decodeRow);
    this.add(rows.filter((row) => row.seq > this.clearedTo));
    const old = rows.filter((row) => row.seq <= this.clearedTo);
    if (old.length) this.hidden = merge(this.hidden, old);
    this.dropBefore(update.first);
    this.changed();
  }

  /** Forget what is shown; what comes next is shown again. */
  clear(): void {
    this.clearedTo = Math.max(this.clearedTo, this.rows.at(-1)?.seq ?? 0);
    this.hidden = merge(this.hidden, this.rows);
    this.rows = [];
    this.version++;
    this.reordered++;
    this.changed();
  }

  /** Show again what was cleared. */
  restore(): void {
    this.rows = merge(this.hidden, this.rows);
    this.hidden = [];
    this.clearedTo = 0;
    this.version++;
    this.reordered++;
    this.changed();
  }

  /** The newest invocation that is known, hidden or not. */
  get newest(): number {
    return Math.max(this.rows.at(-1)?.seq ?? 0, this.hidden.at(-1)?.seq ?? 0);
  }

  /** All rows after an invocation, hidden or not. */
  since(seq: number): Row[] {
    const after = (rows: Row[]) => rows.slice(lowerBound(rows, seq + 1));
    return merge(after(this.hidden), after(this.rows));
  }

  /** The row of an invocation, by binary search. */
  row(seq: number): Row | undefined {
    return find(this.rows, seq) ?? find(this.hidden, seq);
  }

  /** How far the session's clock is ahead of this browser's, in milliseconds. */
  get ahead(): number {
    return this.header ? this.now() - Date.now() : 0;
  }

  /** The session's clock: ahead of this browser's, or standing still until it is moved. */
  now(): number {
    if (this.header && !this.header.ticks) return this.header.now;
    return Date.now() + this.clockAhead;
  }

  private add(rows: Row[]): void {
    const first = rows[0];
    if (!first) return;
    const last = this.rows.at(-1);
    if (!last || last.seq < first.seq) {
      for (const row of rows) this.rows.push(row);
    } else {
      this.rows = merge(this.rows, rows);
      this.reordered++;
    }
    this.version++;
  }

  private dropBefore(seq: number): void {
    if (this.hidden.length) this.hidden = this.hidden.slice(lowerBound(this.hidden, seq));
    const count = Math.max(lowerBound(this.rows, seq), this.rows.length - MOST_ROWS);
    if (count <= 0) return;
    this.rows = this.rows.slice(count);
    this.version++;
    this.reordered++;
  }

  private sample(header: Header, seconds: number): void {
    const { time, rate, p50, p99, queued } = this.samples;
    // uPlot wants times that grow.
    if (seconds <= (time.at(-1) ?? 0)) return;
    time.push(seconds);
    rate.push(header.rate);
    p50.push(header.p50);
    p99.push(header.p99);
    queued.push(header.queued);
    if (time.length > SAMPLES) for (const list of [time, rate, p50, p99, queued]) list.shift();
  }

  private measureEdges(seconds: number): void {
    const edges = new Map(this.edges.map((edge) => [edgeKey(edge), edge.messages]));
    this.counts.push({ time: seconds, edges });
    while (this.counts.length > 2 && seconds - (this.counts[0]?.time ?? 0) > RATE_SECONDS) {
      this.counts.shift();
    }
    const begin = this.counts[0];
    this.rates.clear();
    if (!begin || seconds <= begin.time) return;
    for (const [key, count] of edges) {
      const rate = (count - (begin.edges.get(key) ?? 0)) / (seconds - begin.time);
      if (rate > 0) this.rates.set(key, rate);
    }
  }
}

function find(rows: Row[], seq: number): Row | undefined {
  const found = rows[lowerBound(rows, seq)];
  return found?.seq === seq ? found : undefined;
}

export function edgeKey({ kind, source, target }: Omit<Edge, "messages">): string {
  return `${kind} ${source} ${target}`;
}

/** The index of the first row whose seq is not smaller. */
function lowerBound(rows: Row[], seq: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.seq ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Two ascending lists as one; of rows with the same seq the new one stays. */
export function merge(old: Row[], fresh: Row[]): Row[] {
  const merged: Row[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < fresh.length) {
    const a = old[i];
    const b = fresh[j];
    if (a && (!b || a.seq < b.seq)) {
      merged.push(a);
      i++;
    } else if (b) {
      if (a && a.seq === b.seq) i++;
      merged.push(b);
      j++;
    }
  }
  return merged;
}
