import { expect, test } from "vitest";
import { diff, plain } from "../src/diff";
import { isCut } from "../src/Tree";
import type { Node } from "../src/wire";

const map = (entries: [string, Node][], total = entries.length): Node => ["map", entries, total];

test("what is equal has no changes", () => {
  const node = map([["a", ["list", [1, "x", null], 3]]]);
  expect(diff(node, structuredClone(node))).toEqual([]);
});

test.each<[string, Node, Node, unknown[]]>([
  [
    "a changed number",
    map([["visits", 1]]),
    map([["visits", 2]]),
    [{ kind: "changed", path: "visits", before: "1", after: "2" }],
  ],
  [
    "a new value",
    map([]),
    map([["seen", map([["n", 1]])]]),
    [{ kind: "added", path: "seen", after: '{"n": 1}' }],
  ],
  [
    "a value that went",
    map([["x", "gone"]]),
    map([]),
    [{ kind: "removed", path: "x", before: "gone" }],
  ],
  [
    "a place deep inside",
    map([["a", ["list", [map([["b", 1]])], 1]]]),
    map([["a", ["list", [map([["b", 2]])], 1]]]),
    [{ kind: "changed", path: "a[0].b", before: "1", after: "2" }],
  ],
  [
    "another type",
    map([["x", 1]]),
    map([["x", "1"]]),
    [{ kind: "changed", path: "x", before: "1", after: "1" }],
  ],
  [
    "numbers beyond 2**53",
    map([["n", ["number", "9007199254740993"]]]),
    map([["n", ["number", "9007199254740994"]]]),
    [{ kind: "changed", path: "n", before: "9007199254740993", after: "9007199254740994" }],
  ],
  [
    "bytes of another length",
    map([["b", ["bytes", "00", 10]]]),
    map([["b", ["bytes", "00", 11]]]),
    [{ kind: "changed", path: "b", before: "10 bytes 00", after: "11 bytes 00" }],
  ],
])("%s", (_, before, after, changes) => {
  expect(diff(before, after)).toEqual(changes);
});

test("a key called __proto__ is a key like any other", () => {
  expect(diff(map([]), map([["__proto__", 1]]))).toHaveLength(1);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  expect(plain(map([["a", 1]]))).toEqual({ a: 1 });
});

test.each<[Node, boolean]>([
  ["text", false],
  [["text", "te", 5], true],
  [["list", [1], 2], true],
  [["list", [["deep"]], 1], true],
  [map([["a", ["bytes", "00ff", 2]]]), false],
  [map([["a", ["bytes", "00", 2]]]), true],
  [null, false],
])("cut is seen at any depth: %j", (node, expected) => {
  expect(isCut(node)).toBe(expected);
});
