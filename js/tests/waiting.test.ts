// @vitest-environment happy-dom
import { h, render } from "preact";
import { afterEach, expect, test, vi } from "vitest";
import type { Connection } from "../src/connection";
import { SessionContext } from "../src/hooks";
import { Selection } from "../src/selection";
import { Store } from "../src/store";
import { Waiting } from "../src/Waiting";
import type { WaitingPage, WaitingRow } from "../src/wire";
import { update } from "./rows";

const root = document.createElement("div");
afterEach(() => render(null, root));

const FAILED = { why: "parked", retriable: true, discardable: true } as const;
const UNDECLARED = { why: "undeclared", retriable: true, discardable: false } as const;
const QUEUED = { why: "queued", retriable: false, discardable: false } as const;

function rows(...each: (typeof FAILED | typeof UNDECLARED | typeof QUEUED)[]): WaitingRow[] {
  return each.map((kind, index) => ({
    ...{ typename: "shop/cart", id: `${index}`, exact: true, reason: "", line: "", attempts: 1 },
    ...{ waiting: 1, since: 0, next: 0, seq: 0, messages: [] },
    ...kind,
  }));
}

/** The pane with this filter and the kernel's answer, and what it calls. */
async function open(filter: string, page: WaitingPage) {
  const store = new Store();
  store.apply(update([]));
  const call = vi.fn(async (_: string, __: unknown) => page);
  const can = { act: true };
  const connection = { store, gone: false, late: 0, can, call } as unknown as Connection;
  const get = (name: string) => (name === "filter" ? filter : 0);
  const model = { get, set() {}, save_changes() {}, on() {}, off() {}, send() {} };
  const selection = new Selection(store, connection);
  const value = { connection, store, model, selection };
  render(h(SessionContext.Provider, { value, children: h(Waiting, {}) }), root);
  await vi.waitFor(() => expect(buttons()).not.toEqual([]));
  return call;
}

/** The buttons for all that can be pressed. */
function buttons(): HTMLButtonElement[] {
  const found = [...root.querySelectorAll<HTMLButtonElement>(".sf-pane > .sf-bar button")];
  return found.filter((each) => !each.disabled);
}

const labels = () => buttons().map((each) => each.textContent);
const question = () => [...root.querySelectorAll(".sf-pane > .sf-bar > span")].at(-1)?.textContent;

async function press(label: string) {
  buttons()
    .find((each) => each.textContent === label)
    ?.click();
  await new Promise((done) => setTimeout(done));
}

test.each([
  ["", { typename: "", id: "", total: 4 }, "all", "3"],
  ["type:shop/cart", { typename: "shop/cart", id: "", total: 4 }, "the 3 shown", "the 3 shown"],
  ["id:0", { typename: "", id: "0", total: 4 }, "the 3 shown", "the 3 shown"],
  ["", { typename: "", id: "", total: 900 }, "the 3 shown", "the 3 shown"],
])("the buttons for all are of what is shown with %j", async (filter, of, all, many) => {
  const call = await open(filter, { ...of, rows: rows(FAILED, FAILED, FAILED, QUEUED) });
  expect(labels()).toEqual([`↻ Retry ${all}`, `✕ Discard ${all} …`]);
  await press(`✕ Discard ${all} …`);
  expect(question()).toBe(`Give up the message at the head of ${many}?`);
  await press(`Discard ${all}`);
  await press(`↻ Retry ${all}`);
  const asked = { typename: of.typename, id: of.id };
  expect(call.mock.calls.filter(([name]) => name !== "waiting")).toEqual([
    ["discard_all", asked],
    ["retry_all", asked],
  ]);
});

test("what waits for its function alone is tried again, and not discarded", async () => {
  const page = { typename: "cart", id: "", total: 2, rows: rows(UNDECLARED, QUEUED) };
  await open("type:cart", page);
  expect(labels()).toEqual(["↻ Retry the 1 shown"]);
});

test("before the answer to another filter is here, the buttons are of the page that is", async () => {
  const page = { typename: "shop/cart", id: "", total: 1, rows: rows(FAILED) };
  const call = await open("type:bank/account", page);
  await press("↻ Retry the 1 shown");
  expect(call).toHaveBeenCalledWith("retry_all", { typename: "shop/cart", id: "" });
});
