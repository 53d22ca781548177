import { expect, test } from "vitest";
import { isOpenError, outcome } from "../src/format";
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
