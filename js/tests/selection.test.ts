import { expect, test, vi } from "vitest";
import { suggestions } from "../src/FilterBar";
import { Selection } from "../src/selection";
import { Store } from "../src/store";
import { row, update } from "./rows";

function selection(answer: unknown = { seqs: [], upto: 0 }) {
  const store = new Store();
  const call = vi.fn(async () => answer);
  const found = new Selection(store, { call } as never);
  const add = (...seqs: number[]) =>
    store.apply(update(seqs.map((seq) => row(seq, { id: seq % 2 ? "odd" : "even" }))));
  const seqs = (text: string) => found.of(text).map(({ seq }) => seq);
  return { store, found, call, add, seqs };
}

test("new rows are added to what matches, and others leave it when the filter changes", () => {
  const { add, seqs } = selection();
  add(1, 2, 3);
  expect(seqs("id:odd")).toEqual([1, 3]);
  add(4, 5);
  expect(seqs("id:odd")).toEqual([1, 3, 5]);
  expect(seqs("id:even")).toEqual([2, 4]);
  expect(seqs("")).toEqual([1, 2, 3, 4, 5]);
});

test("rows that come late stand where they belong", () => {
  const { add, seqs } = selection();
  add(5);
  seqs("id:odd");
  add(1, 3);
  expect(seqs("id:odd")).toEqual([1, 3, 5]);
});

test("what is without each term is counted", () => {
  const { add, seqs, found } = selection();
  add(1, 2, 3);
  expect(seqs("id:odd status:error")).toEqual([]);
  expect([found.countWithout(0), found.countWithout(1)]).toEqual([0, 2]);
});

test("a value inside is asked for once, from where the last answer ended", async () => {
  const { add, seqs, call } = selection({ seqs: [2], upto: 2 });
  add(1, 2);
  expect(seqs("message.qty>2")).toEqual([]);
  seqs("message.qty>2");
  expect(call).toHaveBeenCalledTimes(1);
  await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve));
  expect(seqs("message.qty>2")).toEqual([2]);
  expect(call).toHaveBeenCalledWith("matching", {
    ...{ of: "message", path: "qty", compare: ">", value: "2", after: 0 },
  });
});

test("what was cleared is hidden, not lost", () => {
  const { add, seqs, store } = selection();
  add(1, 2);
  store.clear();
  expect(seqs("")).toEqual([]);
  expect(store.row(1)?.id).toBe("odd"); // what is open stays open
  add(3);
  expect(seqs("")).toEqual([3]);
  store.restore();
  expect(seqs("")).toEqual([1, 2, 3]);
});

test("suggestions go on from the word that is typed", () => {
  const { add, store } = selection();
  add(1, 2);
  store.types = { "shop/cart": [1, 0, 0] };
  expect(suggestions("id:od", store)).toEqual(["id:odd"]);
  expect(suggestions("id:odd ty", store)).toEqual(["id:odd type:"]);
  expect(suggestions("(type:ca", store)).toEqual(["(type:shop/cart"]);
  expect(suggestions("status:rep", store)).toEqual(["status:repaired"]);
});
