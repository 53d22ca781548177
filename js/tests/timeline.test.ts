import { expect, test } from "vitest";
import { barAt, between, makeAxis, ticks, timeline } from "../src/timeline";
import { row } from "./rows";

const CHAIN = [
  row(1, { id: "bob", time: 1_000, ms: 10 }),
  row(2, { typename: "a/b", id: "x", caller: "example/person/bob", cause: 1, time: 1_030, ms: 5 }),
  row(3, { id: "al", time: 1_040, ms: 1, status: "error", error: "no" }),
];

test("a lane for each address, by function", () => {
  const { lanes } = timeline(CHAIN, [], 0);
  expect(lanes).toEqual([
    { typename: "example/person", id: "bob", head: true },
    { typename: "example/person", id: "al", head: false },
    { typename: "a/b", id: "x", head: true },
  ]);
});

test("a bar from begin to end, and since when its message has waited", () => {
  const { bars } = timeline(CHAIN, [], 0);
  expect(bars.map(({ begin, end, sent, cause }) => [begin, end, sent, cause])).toEqual([
    [1_000, 1_010, 1_000, -1],
    [1_030, 1_035, 1_010, 0],
    [1_040, 1_041, 1_040, -1],
  ]);
  expect(bars.map(({ look }) => look)).toEqual(["ok", "ok", "failed"]);
});

test("a pending timer is open till it falls due", () => {
  const timer = { number: 1, due: 9_000, owner: "", token: "", typename: "a/b", id: "x", text: "" };
  const { pending, axis } = timeline(CHAIN, [timer], 2_000);
  expect(pending).toEqual([{ lane: 2, begin: 2_000, due: 9_000 }]);
  expect(axis.place(9_000)).toBeCloseTo(1);
});

test("idle hours take no room, and are told", () => {
  const axis = makeAxis([
    [0, 100],
    [3_600_000, 3_600_100],
  ]);
  expect(axis.breaks).toHaveLength(1);
  expect(axis.breaks[0]).toMatchObject({ from: 100, to: 3_600_000 });
  expect(axis.place(50)).toBeCloseTo(0.2425);
  expect(axis.place(3_600_050)).toBeCloseTo(1 - 0.2425);
  for (const time of [0, 30, 100, 3_600_020, 3_600_100]) {
    expect(axis.time(axis.place(time))).toBeCloseTo(time);
  }
});

test("an axis of nothing, and of one moment", () => {
  expect(makeAxis([]).place(5)).toBe(0);
  expect(makeAxis([[7, 7]]).time(0.5)).toBeCloseTo(7);
});

test("times are written at round places, none in what was cut out", () => {
  const axis = makeAxis([
    [0, 1_000],
    [90_000, 91_000],
  ]);
  const found = ticks(axis, 0, 1, 10);
  expect(found.length).toBeGreaterThan(5);
  expect(found.every((time) => time % 100 === 0)).toBe(true);
  expect(found.some((time) => time > 1_000 && time < 90_000)).toBe(false);
});

test("what is under the pointer, and what a brush takes", () => {
  const data = timeline(CHAIN, [], 0);
  expect(barAt(data, 0, 1_005, 0.1)).toBe(0);
  expect(barAt(data, 0, 1_012, 5)).toBe(0);
  expect(barAt(data, 0, 1_020, 5)).toBe(-1);
  expect(barAt(data, 2, 1_005, 0.1)).toBe(-1);
  expect(between(data, 1_020, 1_036)).toEqual([2, 2]);
  expect(between(data, 0, 2_000)).toEqual([1, 3]);
  expect(between(data, 1_011, 1_020)).toBeNull();
});

test("ten thousand bars are laid out within a frame or two", () => {
  const rows = Array.from({ length: 10_000 }, (_, index) =>
    row(index + 1, { id: `id ${index % 300}`, time: index, cause: index }),
  );
  const begin = performance.now();
  expect(timeline(rows, [], 0).bars).toHaveLength(10_000);
  expect(performance.now() - begin).toBeLessThan(250);
});

test("moves of the clock since the first bar are marked, at their own times", () => {
  const moves: [number, number][] = [
    [0, 900],
    [1_041, 3_601_041],
  ];
  const { jumps, axis } = timeline(CHAIN, [], 0, moves);
  expect(jumps).toEqual([[1_041, 3_601_041]]);
  expect(axis.breaks).toMatchObject([{ from: 1_041, to: 3_601_041 }]);
  expect(timeline([], [], 0, moves).jumps).toEqual([]);
});
