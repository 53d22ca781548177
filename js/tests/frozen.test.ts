// @vitest-environment happy-dom
import { gzipSync } from "node:zlib";
import { afterEach, expect, test, vi } from "vitest";
import { Connection } from "../src/connection";
import { type Frozen, FrozenModel, thaw } from "../src/frozen";
import { valueIn } from "../src/lookup";
import { checkValue } from "../src/Send";
import { Selection } from "../src/selection";
import type { Detail, TimerPage, WaitingRow } from "../src/wire";
import { row, update } from "./rows";

const PAGE = {
  ...{ types: { "a/b": 2 }, typename: "a/b", total: 2, most: 200, ordered: 2 },
  ...{ observed: false, undoable: 0 },
};
const address = { exact: true, values: [], seq: 0, time: 0, by: "" };
const DATA: Frozen = {
  update: update([row(1)]),
  details: { 1: { seq: 1 } as Detail },
  states: { "a/b": { ...PAGE, rows: ["bob", "al"].map((id) => ({ ...address, id })) } },
  histories: {},
  timers: { now: 0, total: 0, rows: [] },
  waiting: { typename: "", id: "", total: 0, rows: [] },
  functions: { rows: [] },
};

let connection: Connection;
afterEach(() => connection?.close());

function open() {
  connection = new Connection(new FrozenModel(DATA));
  return connection;
}

test("a run that has ended is shown by the same parts", async () => {
  open().show("page", true);
  await Promise.resolve();
  expect(connection.store.rows.map(({ seq }) => seq)).toEqual([1]);
  expect(await connection.call("detail", { seq: 1 })).toEqual({ seq: 1 });
  const found = await connection.call<{ rows: { id: string }[] }>("state", {
    ...{ typename: "a/b", search: "bo" },
  });
  expect(found.rows.map(({ id }) => id)).toEqual(["bob"]);
});

test("its state is sorted, too", async () => {
  const ids = async (descending: boolean) => {
    const asked = { typename: "a/b", sort: "id", descending };
    const page = await open().call<{ rows: { id: string }[] }>("state", asked);
    return page.rows.map(({ id }) => id);
  };
  expect(await ids(false)).toEqual(["al", "bob"]);
  expect(await ids(true)).toEqual(["bob", "al"]);
});

test("nothing can be done to it, and what is not there is said", async () => {
  await expect(open().call("retry")).rejects.toThrow("a run that has ended");
  await expect(connection.call("detail", { seq: 2 })).rejects.toThrow("newer invocations");
});

function qty(value: number): Detail["message"] {
  return ["map", [["qty", value]], 1];
}

const ALL: Frozen = {
  ...DATA,
  update: update([1, 2, 3, 4].map((seq) => row(seq))),
  details: Object.fromEntries(
    ([qty(5), qty(1), ["deep"]] as Detail["message"][]).map((message, index) => {
      return [index + 1, { seq: index + 1, message, after: null } as Detail];
    }),
  ),
  timers: {
    now: 0,
    total: 2,
    rows: ["bob", "al"].map((id, number) => {
      return { number, due: 0, owner: "", token: "", typename: "a/b", id, text: "" };
    }),
  },
  waiting: { ...DATA.waiting, total: 1, rows: [{ typename: "a/b", id: "bob" } as WaitingRow] },
};

test("its panes follow the filter", async () => {
  connection = new Connection(new FrozenModel(ALL));
  const total = async (name: string, typename = "", id = "") =>
    (await connection.call<TimerPage>(name, { typename, id })).total;
  expect(await total("timers")).toBe(2);
  expect(await total("timers", "a/b", "bob")).toBe(1);
  expect(await total("waiting", "b")).toBe(1);
  expect(await total("waiting", "", "al")).toBe(0);
});

test("values are looked for in what it holds, and what it does not hold is said", async () => {
  connection = new Connection(new FrozenModel(ALL));
  connection.show("page", true);
  await Promise.resolve();
  const selection = new Selection(connection.store, connection);
  const seqs = (text: string) => selection.of(text).map(({ seq }) => seq);
  seqs("message.qty > 2");
  await vi.waitFor(() => expect(seqs("message.qty > 2")).toEqual([1]));
  expect(selection.problem).toContain("has not the whole values of 2");
  expect(seqs("")).toEqual([1, 2, 3, 4]);
  expect(selection.problem).toBe("");
  expect(connection.can).toEqual({ ask: false, act: false, edit: false });
});

const VALUES: Detail["message"] = [
  "map",
  [
    ["n", 3],
    ["on", true],
    ["none", null],
    ["name", "Ann"],
    ["items", ["list", [["map", [["sku", "hat"]], 1]], 5]],
    ["long", ["text", "beginning", 9_000]],
    ["huge", ["number", "9007199254740993"]],
  ],
  8,
];

test.each([
  ["n", ">", "2", true],
  ["n", "=", "3.0", true],
  ["n", "<", "x", false],
  ["on", "=", "true", true],
  ["none", ":", "non", true],
  ["name", ":", "an", true],
  ["name", "=", "ann", false],
  ["items[0].sku", "=", "hat", true],
  ["items[4].sku", "=", "hat", undefined],
  ["items[5].sku", "=", "hat", false],
  ["n.x", "=", "1", false],
  ["long", ":", "begin", true],
  ["long", ":", "end", undefined],
  ["huge", ">", "5", true],
  ["other", "=", "1", undefined],
])("a value inside: %s%s%s", (path, compare, value, found) => {
  const detail = { message: VALUES } as Detail;
  expect(valueIn(detail, { of: "message", path, compare, value })).toBe(found);
});

test("it comes packed", async () => {
  const text = gzipSync(JSON.stringify(DATA)).toString("base64");
  expect((await thaw(text)).update.rows).toEqual(DATA.update.rows);
});

test.each([
  ["JSON", '{"a": 1}', ""],
  ["JSON", "{a: 1}", "This is no JSON"],
  ["shop/Cart", "x", "This is no JSON"],
  ["str", "{a: 1}", ""],
  ["", "hello", ""],
])("a value of type %s: %s", (type, text, problem) => {
  expect(checkValue({ type, text })).toContain(problem);
  if (!problem) expect(checkValue({ type, text })).toBe("");
});
