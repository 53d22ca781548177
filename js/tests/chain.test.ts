import { expect, test } from "vitest";
import { chain, effects, root } from "../src/chain";
import { Store } from "../src/store";
import { row, update } from "./rows";

//  1 ── 2 ── 4        3 stands alone; 9's cause is not kept
//   └── 5
function store() {
  const found = new Store();
  found.apply(
    update([
      row(1),
      row(2, { cause: 1 }),
      row(3),
      row(4, { cause: 2 }),
      row(5, { cause: 1 }),
      row(9, { cause: 8 }),
    ]),
  );
  return found;
}

test("the chain is the same from wherever it is looked at", () => {
  for (const seq of [1, 2, 4, 5]) {
    const links = chain(store(), seq).map(({ row: each, depth }) => [each.seq, depth]);
    expect(links).toEqual([
      [1, 0],
      [2, 1],
      [4, 2],
      [5, 1],
    ]);
  }
});

test("what nobody caused is a chain of its own", () => {
  expect(chain(store(), 3).map(({ row: each }) => each.seq)).toEqual([3]);
  expect(root(store(), 9)?.seq).toBe(9);
  expect(chain(store(), 77)).toEqual([]);
});

test("effects are found in order", () => {
  expect(effects(store().rows, 1).map((each) => each.seq)).toEqual([2, 5]);
});

test("a chain without an end is cut", () => {
  const long = new Store();
  long.apply(update(Array.from({ length: 2_000 }, (_, index) => row(index + 1, { cause: index }))));
  expect(chain(long, 2)).toHaveLength(500);
});
