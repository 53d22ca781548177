import { expect, test } from "vitest";
import { counted, isOpenError, outcome, percentiles, times } from "../src/format";
import { row } from "./rows";

test.each([
  [row(1), "✓ ok", false],
  [row(2, { status: "rolled back" }), "↶ rolled back", false],
  [row(3, { status: "error", error: "ValueError: no" }), "✗ ValueError: no", true],
  [
    row(4, { status: "error", error: "ValueError: no", repaired: true }),
    "✓ repaired (ValueError: no)",
    false,
  ],
])("what became of an invocation is said in words: %#", (each, words, open) => {
  expect([outcome(each), isOpenError(each)]).toEqual([words, open]);
});

test("how long a function takes is not known before its first invocation", () => {
  expect(percentiles({ p50: 0, p99: 0 })).toBe("–");
  expect(percentiles({ p50: 0.0071, p99: 12 })).toBe("0.007 · 12.0");
});

test("one is not many", () => {
  expect([1, 2, 0].map((each) => counted(each, "invocation"))).toEqual([
    ...["1 invocation", "2 invocations", "0 invocations"],
  ]);
  expect([times(1), times(3)]).toEqual(["once", "3 times"]);
});
