import { expect, test } from "vitest";
import { inOrder } from "../src/sorting";
import type { StateRow } from "../src/wire";

const VALUES = { a: 10, b: 9, c: "x", d: null, e: -1, f: "10" };
const rows = Object.entries(VALUES).map(([id, value]) => ({
  ...{ id, exact: true, seq: 0, time: 0, by: "" },
  values: [{ name: "n", type: "", present: value !== null, value, text: "", expires: 0 }],
})) as StateRow[];

test.each([
  ["", false, "abcdef"],
  ["id", true, "fedcba"],
  ["state.n", false, "ebafcd"],
  ["state.n", true, "cfabed"],
  ["state.other", false, "abcdef"],
])("by %j, descending %j", (sort, descending, ids) => {
  expect(
    inOrder(rows, sort, descending)
      .map(({ id }) => id)
      .join(""),
  ).toBe(ids);
});
