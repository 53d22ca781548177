// Numbers, times and what became of an invocation, as a person reads them.
import type { Row } from "./wire";

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** 14:03:27.042 */
export function clock(milliseconds: number): string {
  const fraction = Math.floor(milliseconds % 1000);
  return `${CLOCK.format(milliseconds)}.${String(fraction).padStart(3, "0")}`;
}

/** 12,345 or 1.2M: four figures fit anywhere. */
export function count(value: number): string {
  if (value < 100_000) return Math.round(value).toLocaleString("en");
  return value < 1_000_000 ? `${Math.round(value / 1000)}k` : `${(value / 1_000_000).toFixed(1)}M`;
}

/** 1 invocation, 2 invocations */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** once, 2 times */
export function times(value: number): string {
  return value === 1 ? "once" : `${count(value)} times`;
}

/** 0.012, 1.23, 45.6, 789 */
export function milliseconds(value: number): string {
  if (value === 0) return "0";
  if (value < 0.1) return value.toFixed(3);
  if (value < 10) return value.toFixed(2);
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

/** The median and what one in a hundred takes longer than, in milliseconds; – before the first. */
export function percentiles({ p50, p99 }: { p50: number; p99: number }): string {
  return p99 > 0 ? `${milliseconds(p50)} · ${milliseconds(p99)}` : "–";
}

/** 12:00:00.000 → 14:00:00.000 (+2:00:00) */
export function moved([before, after]: readonly [number, number]): string {
  return `${clock(before)} → ${clock(after)} (+${duration(after - before)})`;
}

/** 1:02:03, 4:05 or 6.7 s */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${pad(whole % 60)}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}:${pad(minutes % 60)}:${pad(whole % 60)}`;
  return `${Math.floor(hours / 24)} days`;
}

/** A value as JSON in one line, spaced like what the kernel sends. */
export function json(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(json).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  const items = Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${json(each)}`);
  return `{${items.join(", ")}}`;
}

type Outcome = Pick<Row, "status" | "error" | "repaired">;

/** Is it an error that nothing has repaired yet? */
export function isOpenError({ status, repaired }: Outcome): boolean {
  return status === "error" && !repaired;
}

/** What became of an invocation; a repaired error keeps its words. */
export function outcome({ status, error, repaired }: Outcome): string {
  if (status === "rolled back") return "↶ rolled back";
  if (status === "ok") return "✓ ok";
  return repaired ? `✓ repaired (${error})` : `✗ ${error}`;
}
