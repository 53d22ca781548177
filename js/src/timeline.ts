// Invocations over time as data: a lane for each address, bars, and an axis without idle hours.
import type { Jump, Row, TimerRow } from "./wire";

export interface Bar {
  seq: number;
  lane: number;
  begin: number;
  end: number;
  /** When its message was sent, where the invocation that sent it is here: till then it waited. */
  sent: number;
  /** The bar that caused it; -1: none is here. */
  cause: number;
  look: "ok" | "failed" | "repaired" | "undone";
}

export interface Lane {
  typename: string;
  id: string;
  /** The first lane of its function. */
  head: boolean;
}

/** A delayed message that is pending: its lane, and when it falls due. */
export interface Pending {
  lane: number;
  begin: number;
  due: number;
}

export interface Timeline {
  lanes: Lane[];
  bars: Bar[];
  pending: Pending[];
  /** Moves of the clock since the first bar. */
  jumps: Jump[];
  axis: Axis;
}

/** Bars that are drawn at most; the newest. */
export const MOST_BARS = 10_000;
const MOST_LANES = 2_000;

export function timeline(
  rows: Row[],
  timers: TimerRow[],
  now: number,
  moves: Jump[] = [],
): Timeline {
  const shown = rows.slice(-MOST_BARS);
  const order = laneOrder(shown, timers);
  const place = new Map(order.map(({ typename, id }, index) => [`${typename}/${id}`, index]));
  const bars: Bar[] = [];
  const at = new Map<number, number>();
  for (const row of shown) {
    const lane = place.get(`${row.typename}/${row.id}`);
    if (lane === undefined) continue;
    const cause = at.get(row.cause) ?? -1;
    const sent = cause < 0 ? row.time : Math.min(row.time, bars[cause]?.end ?? row.time);
    at.set(row.seq, bars.length);
    const end = row.time + row.ms;
    bars.push({ seq: row.seq, lane, begin: row.time, end, sent, cause, look: lookOf(row) });
  }
  const pending: Pending[] = [];
  for (const { typename, id, due } of timers) {
    const lane = place.get(`${typename}/${id}`);
    if (lane !== undefined) pending.push({ lane, begin: Math.min(now, due), due });
  }
  const spans: [number, number][] = bars.map(({ begin, end }) => [begin, end]);
  for (const { begin, due } of pending) spans.push([begin, begin], [due, due]);
  const begin = bars[0]?.begin ?? Number.POSITIVE_INFINITY;
  const jumps = moves.filter(([, after]) => after > begin);
  for (const [before, after] of jumps) spans.push([before, before], [after, after]);
  return { lanes: order, bars, pending, jumps, axis: makeAxis(spans) };
}

function lookOf({ status, repaired }: Row): Bar["look"] {
  if (status === "ok") return "ok";
  if (status === "rolled back") return "undone";
  return repaired ? "repaired" : "failed";
}

/** Addresses by function, functions in the order they were first called. */
function laneOrder(rows: Row[], timers: TimerRow[]): Lane[] {
  const types = new Map<string, Set<string>>();
  const add = (typename: string, id: string) => {
    const ids = types.get(typename);
    if (ids) ids.add(id);
    else types.set(typename, new Set([id]));
  };
  for (const { typename, id } of rows) add(typename, id);
  for (const { typename, id } of timers) add(typename, id);
  const lanes: Lane[] = [];
  for (const [typename, ids] of types) {
    let head = true;
    for (const id of ids) {
      if (lanes.length >= MOST_LANES) return lanes;
      lanes.push({ typename, id, head });
      head = false;
    }
  }
  return lanes;
}

/** A stretch of time that is drawn to scale, from `at` on the axis (0 to 1). */
interface Stretch {
  begin: number;
  end: number;
  at: number;
  width: number;
}

/** Time to a place from 0 to 1, and back; `breaks` are the idle times that were cut out. */
export interface Axis {
  stretches: Stretch[];
  breaks: { at: number; width: number; from: number; to: number }[];
  place: (time: number) => number;
  time: (place: number) => number;
}

/** What a cut takes of the axis, whatever time it leaves out. */
const BREAK = 0.03;
/** Idle times are cut that are longer than this part of all busy time, and than this. */
const IDLE_PART = 0.5;
const IDLE_MS = 50;

export function makeAxis(spans: [begin: number, end: number][]): Axis {
  const merged = merge(spans);
  const busy = merged.reduce((sum, [begin, end]) => sum + (end - begin), 0);
  const longest = Math.max(IDLE_MS, busy * IDLE_PART);
  const groups: [number, number][] = [];
  for (const [begin, end] of merged) {
    const last = groups.at(-1);
    if (last && begin - last[1] <= longest) last[1] = end;
    else groups.push([begin, end]);
  }
  const scaled = groups.map(([begin, end]) => Math.max(end - begin, 0.001));
  const total = scaled.reduce((sum, each) => sum + each, 0);
  const gap = groups.length > 1 ? Math.min(BREAK, 0.4 / (groups.length - 1)) : 0;
  const room = 1 - gap * Math.max(0, groups.length - 1);
  const stretches: Stretch[] = [];
  const breaks: Axis["breaks"] = [];
  let at = 0;
  groups.forEach(([begin, end], index) => {
    const width = ((scaled[index] ?? 0) / (total || 1)) * room;
    stretches.push({ begin, end, at, width });
    at += width;
    const next = groups[index + 1];
    if (next) breaks.push({ at, width: gap, from: end, to: next[0] });
    at += gap;
  });
  return { stretches, breaks, place: placing(stretches), time: timing(stretches) };
}

function merge(spans: [number, number][]): [number, number][] {
  const merged: [number, number][] = [];
  for (const [begin, end] of spans.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && begin <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([begin, end]);
  }
  return merged;
}

function placing(stretches: Stretch[]): (time: number) => number {
  return (time) => {
    let before: Stretch | undefined;
    for (const stretch of stretches) {
      const { begin, end, at, width } = stretch;
      if (time < begin) {
        if (!before) return at;
        const from = before.at + before.width;
        return from + ((time - before.end) / (begin - before.end)) * (at - from);
      }
      if (time <= end) return at + ((time - begin) / Math.max(end - begin, 0.001)) * width;
      before = stretch;
    }
    return before ? before.at + before.width : 0;
  };
}

function timing(stretches: Stretch[]): (place: number) => number {
  return (place) => {
    let before: Stretch | undefined;
    for (const stretch of stretches) {
      const { begin, end, at, width } = stretch;
      if (place < at) return before ? before.end : begin;
      if (place <= at + width) return begin + ((place - at) / (width || 1)) * (end - begin);
      before = stretch;
    }
    return before?.end ?? 0;
  };
}

/** Times to be written on the axis, between two places of it, about `wanted` of them. */
export function ticks(axis: Axis, from: number, to: number, wanted: number): number[] {
  const found: number[] = [];
  for (const { begin, end, at, width } of axis.stretches) {
    const [left, right] = [Math.max(at, from), Math.min(at + width, to)];
    if (right <= left) continue;
    const count = Math.max(1, Math.round(((right - left) / (to - from)) * wanted));
    const [first, last] = [axis.time(left), axis.time(right)];
    const step = nice((last - first) / count);
    const start = Math.ceil(first / step) * step;
    if (start > last) found.push(begin);
    for (let time = start; time <= Math.min(last, end); time += step) found.push(time);
  }
  return found;
}

/** 1, 2 or 5 times a power of ten. */
function nice(step: number): number {
  if (!(step > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(step));
  const digit = step / power;
  return (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10) * power;
}

/** The bar at a time and in a lane; -1 for none. The nearest within `reach` milliseconds. */
export function barAt({ bars }: Timeline, lane: number, time: number, reach: number): number {
  let [best, distance] = [-1, reach];
  bars.forEach((bar, index) => {
    if (bar.lane !== lane) return;
    const away = time < bar.begin ? bar.begin - time : Math.max(0, time - bar.end);
    if (away < distance || (away === 0 && distance === 0)) [best, distance] = [index, away];
  });
  return best;
}

/** The numbers of the first and the last invocation between two times; null for none. */
export function between({ bars }: Timeline, from: number, to: number): [number, number] | null {
  const found = bars.filter(({ begin, end }) => end >= from && begin <= to).map(({ seq }) => seq);
  return found.length ? [Math.min(...found), Math.max(...found)] : null;
}
