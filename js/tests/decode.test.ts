import { expect, test } from "vitest";
import { decodeEdge, decodeHistoryEntry, decodeRow, type Node, type WireRow } from "../src/wire";

// No two values are the same: a value in another's place would be seen.
const SENT: WireRow = [
  7,
  1_000.5,
  "example/person",
  "bob",
  "example/greeter/al",
  "hello",
  "visits: 1 → 2",
  [["delayed", "example/reminder", "carol", "greetings", "k", "good evening"]],
  9,
  0.25,
  "error",
  "ValueError: no",
  true,
  3,
];
const ROW = {
  seq: 7,
  time: 1_000.5,
  typename: "example/person",
  id: "bob",
  caller: "example/greeter/al",
  message: "hello",
  change: "visits: 1 → 2",
  out: [
    {
      kind: "delayed",
      where: "example/reminder",
      id: "carol",
      topic: "greetings",
      key: "k",
      text: "good evening",
    },
  ],
  outs: 9,
  ms: 0.25,
  status: "error",
  error: "ValueError: no",
  repaired: true,
  cause: 3,
};

test("a row and what it sent get their names", () => {
  expect(decodeRow(SENT)).toEqual(ROW);
});

test("an edge gets its names", () => {
  expect(decodeEdge(["egress", "a/b", "c/d", 4])).toEqual({
    kind: "egress",
    source: "a/b",
    target: "c/d",
    messages: 4,
  });
});

test("the row of a history gets its names, the states stay as they are", () => {
  const after: Node = ["text", "long", 99];
  const states = { before: 1, after, by: "s.set_state" };
  expect(decodeHistoryEntry({ row: SENT, ...states })).toEqual({ row: ROW, ...states });
});
