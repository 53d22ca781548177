import { describe, expect, test } from "vitest";
import { edgeKey, merge, Store } from "../src/store";
import type { Row } from "../src/wire";
import { HEADER, row, update } from "./rows";

const seqs = (rows: Row[]) => rows.map((each) => each.seq);

describe("rows", () => {
  test("come in any order and stand in one", () => {
    const store = new Store();
    store.apply(update([row(5), row(6)]));
    store.apply(update([row(1), row(2)]));
    store.apply(update([row(3), row(4), row(7)]));
    expect(seqs(store.rows)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("that come twice are there once, as they came last", () => {
    const store = new Store();
    store.apply(update([row(1), row(2)]));
    store.apply(update([row(2, { message: "again" }), row(3)]));
    expect(seqs(store.rows)).toEqual([1, 2, 3]);
    expect(store.row(2)?.message).toBe("again");
  });

  test("go when the kernel does not keep them any more", () => {
    const store = new Store();
    store.apply(update([row(1), row(2), row(3)]));
    store.apply(update([], { first: 3 }));
    expect(seqs(store.rows)).toEqual([3]);
    expect(store.row(1)).toBeUndefined();
  });

  test("that only follow do not count as a new order", () => {
    const store = new Store();
    store.apply(update([row(2)]));
    const before = store.reordered;
    store.apply(update([row(3)]));
    expect(store.reordered).toBe(before);
    store.apply(update([row(1)]));
    expect(store.reordered).toBe(before + 1);
  });

  test("are bounded, whatever the kernel sends", () => {
    const store = new Store();
    store.apply(update(Array.from({ length: 200_100 }, (_, index) => row(index + 1))));
    expect(store.rows.length).toBe(200_000);
    expect(store.rows[0]?.seq).toBe(101);
  });

  test("that were cleared from view do not come back", () => {
    const store = new Store();
    store.apply(update([row(1), row(2)]));
    store.clear();
    store.apply(update([row(1), row(2), row(3)]));
    expect(seqs(store.rows)).toEqual([3]);
  });

  test("merge keeps every seq, like a sorted union", () => {
    // A small deterministic generator: the same lists in every run.
    let state = 7;
    const random = () => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return state;
    };
    for (let round = 0; round < 200; round++) {
      const list = () =>
        [...new Set(Array.from({ length: random() % 12 }, () => random() % 30))].sort(
          (a, b) => a - b,
        );
      const [a, b] = [list(), list()];
      const union = [...new Set([...a, ...b])].sort((x, y) => x - y);
      expect(
        seqs(
          merge(
            a.map((n) => row(n)),
            b.map((n) => row(n)),
          ),
        ),
      ).toEqual(union);
    }
  });
});

describe("the session's clock", () => {
  test("is ahead, or stands still", () => {
    const store = new Store();
    const ahead = Date.now() + 3_600_000;
    store.apply(update([], { header: { ...HEADER, now: ahead } }));
    expect(store.now() - ahead).toBeLessThan(1_000);
    store.apply(update([], { header: { ...HEADER, now: 5, ticks: false } }));
    expect(store.now()).toBe(5);
  });
});

describe("numbers", () => {
  test("become samples, bounded and with growing times", () => {
    const store = new Store();
    for (let index = 0; index < 300; index++) {
      store.apply(update([], { header: { ...HEADER, rate: index } }), 1_000 * index);
    }
    store.apply(update([]), 1_000); // a clock that went back
    expect(store.samples.time.length).toBe(240);
    expect(store.samples.rate.at(-1)).toBe(299);
    expect(store.samples.time).toEqual(store.samples.time.toSorted((a, b) => a - b));
  });

  test("of edges become rates of the last seconds", () => {
    const store = new Store();
    const edge = (count: number) => update([], { edges: [["message", "", "a/b", count]] });
    store.apply(edge(0), 0);
    store.apply(edge(50), 1_000);
    expect(store.rates.get(edgeKey({ kind: "message", source: "", target: "a/b" }))).toBe(50);
    for (let second = 2; second < 8; second++) store.apply(edge(50), second * 1_000);
    expect(store.rates.size).toBe(0);
  });
});
