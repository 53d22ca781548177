// @vitest-environment happy-dom
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { Connection } from "../src/connection";
import { type Frozen, FrozenModel, thaw } from "../src/frozen";
import { checkValue } from "../src/Send";
import type { Detail } from "../src/wire";
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
  waiting: { total: 0, rows: [] },
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
