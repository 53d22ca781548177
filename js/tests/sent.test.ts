import { expect, test } from "vitest";
import { find, isLost, type Sent } from "../src/sent";
import { Store } from "../src/store";
import type { Row } from "../src/wire";
import { HEADER, row, update } from "./rows";

const NOW = 1_000_000;

function session() {
  const store = new Store();
  const sent: Sent[] = []; // newest first
  const served = (...rows: [seq: number, message: string, more?: Partial<Row>][]) =>
    store.apply(
      update(
        rows.map(([seq, message, more]) => row(seq, { time: NOW + seq, message, ...more })),
        { header: { ...HEADER, ticks: false, now: NOW } },
      ),
    );
  const send = (text: string, delay = 0) =>
    sent.unshift({
      ...{ typename: "example/person", id: "bob", text, after: store.newest },
      ...{ due: store.now() + delay, row: undefined },
    });
  /** The invocation of each message, by what was sent; 0: none yet. */
  const found = () => {
    find(sent, store);
    return Object.fromEntries(sent.map(({ text, row }) => [text, row?.seq ?? 0]));
  };
  served([1, "hello"]);
  return { store, sent, served, send, found };
}

test("each message has its own invocation, and one that is queued has none yet", () => {
  const { send, served, found } = session();
  for (const text of ["a", "b", "c"]) send(text);
  served([2, "a"], [3, "b"]);
  expect(found()).toEqual({ a: 2, b: 3, c: 0 });
  served([4, "c"]);
  expect(found()).toEqual({ a: 2, b: 3, c: 4 });
});

test("the same is so where the text does not tell", () => {
  const { send, served, found } = session();
  send("[1,2]");
  send("0x10");
  served([2, "(1, 2)"], [3, "16"], [4, "of a function", { caller: "a/b/c" }]);
  expect(found()).toEqual({ "[1,2]": 2, "0x10": 3 });
});

test("a message that somebody else sent is not taken for it", () => {
  const { send, served, found } = session();
  send('{"a": "b"}');
  served([2, "other"], [3, "{'a': 'b'}"]);
  expect(found()).toEqual({ '{"a": "b"}': 3 });
});

test("rows that are cleared from view are looked through", () => {
  const { store, send, served, found } = session();
  send("a");
  served([2, "a"]);
  store.clear();
  send("b"); // after what is hidden, too
  served([3, "b"]);
  expect(found()).toEqual({ a: 2, b: 3 });
});

test("a row that the trace has dropped is remembered, and no newer one is taken for it", () => {
  const { store, sent, send, served, found } = session();
  send("x");
  served([2, "x"]);
  expect(found()).toEqual({ x: 2 });
  store.apply(update([row(9, { message: "x", time: NOW + 9 })], { first: 9 }));
  expect(found()).toEqual({ x: 2 });
  expect(isLost(sent[0] as Sent, store)).toBe(false);
});

test("what was never seen and is dropped is told", () => {
  const { store, sent, send, found } = session();
  send("x");
  store.apply(update([row(9, { id: "ann", time: NOW + 9 })], { first: 9 }));
  expect(found()).toEqual({ x: 0 });
  expect(isLost(sent[0] as Sent, store)).toBe(true);
});

test("a repaired error is followed to what repaired it, and keeps no other message from its own", () => {
  const { sent, send, served, found } = session();
  send("a");
  send("b");
  const error = { status: "error", error: "ValueError: no" } as const;
  served([2, "a", error]);
  expect(found()).toEqual({ a: 2, b: 0 });
  served([2, "a", { ...error, repaired: true }]);
  expect(found()).toEqual({ a: 2, b: 0 });
  expect(sent[1]?.row?.repaired).toBe(true);
  served([3, "a"], [4, "b"]);
  expect(found()).toEqual({ a: 3, b: 4 });
});

test("a delayed message does not take what was served before it was due", () => {
  const { send, served, found } = session();
  send("1", 60_000);
  send("1 ");
  served([2, "1"]);
  expect(found()).toEqual({ "1": 0, "1 ": 2 });
  served([3, "1", { time: NOW + 60_000 }]);
  expect(found()).toEqual({ "1": 3, "1 ": 2 });
});
