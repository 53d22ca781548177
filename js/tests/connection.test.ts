// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection, type Model } from "../src/connection";
import type { Update } from "../src/wire";
import { HEADER, row, update } from "./rows";

class FakeKernel implements Model {
  sent: Record<string, unknown>[] = [];
  widget_manager: { kernel: { status: string } } | undefined;
  broken = false;
  private listeners = new Map<string, (...args: unknown[]) => void>();

  get = () => "";
  set = () => {};
  save_changes = () => {};
  send = (content: unknown) => {
    if (this.broken) throw new Error("Cannot send");
    this.sent.push(content as Record<string, unknown>);
  };
  on = (event: string, callback: (...args: never[]) => void) => {
    this.listeners.set(event, callback as (...args: unknown[]) => void);
  };
  off = (event: string) => {
    this.listeners.delete(event);
  };

  fire(event: string, ...args: unknown[]): void {
    this.listeners.get(event)?.(...args);
  }

  say(
    message: Update | { kind: "reply"; id: string | undefined; result?: unknown; error?: string },
  ): void {
    const bytes = new TextEncoder().encode(JSON.stringify(message));
    this.fire("msg:custom", { kind: message.kind }, [new DataView(bytes.buffer)]);
  }

  kinds = () => this.sent.map((each) => each.kind);
}

let kernel: FakeKernel;
let connection: Connection;

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new FakeKernel();
  connection = new Connection(kernel);
});
afterEach(() => {
  connection.close();
  vi.useRealTimers();
});

test("nothing is asked for before somebody can see it", () => {
  expect(kernel.sent).toEqual([]);
  connection.show("view", true);
  expect(kernel.kinds()).toEqual(["hello"]);
});

test("a first word is said again until it is answered", () => {
  connection.show("view", true);
  vi.advanceTimersByTime(2_500);
  expect(kernel.kinds()).toEqual(["hello", "hello", "hello"]);
  kernel.say(update([row(1)]));
  vi.advanceTimersByTime(5_000);
  expect(kernel.kinds()).toEqual(["hello", "hello", "hello", "ack"]);
});

test("a view out of sight says so, and one more in sight changes nothing", () => {
  connection.show("a", true);
  kernel.say(update([row(1)]));
  connection.show("b", true);
  connection.show("a", false);
  vi.advanceTimersByTime(600);
  expect(kernel.kinds()).toEqual(["hello", "ack"]);
  connection.show("b", false);
  expect(kernel.sent.at(-1)).toMatchObject({ kind: "visible", visible: false });
  connection.show("b", true);
  expect(kernel.sent.at(-1)).toMatchObject({ kind: "visible", visible: true });
});

test("updates are in the store, and are acknowledged together", () => {
  connection.show("a", true);
  kernel.say({ ...update([row(1)]), number: 3 });
  kernel.say({ ...update([row(2)]), number: 4 });
  vi.advanceTimersByTime(600);
  expect(kernel.kinds()).toEqual(["hello", "ack"]);
  expect(kernel.sent.at(-1)).toMatchObject({ kind: "ack", number: 4 });
  expect(connection.store.rows).toHaveLength(2);
});

test("an answer goes to whoever asked", async () => {
  const first = connection.call("one", { a: 1 });
  const second = connection.call("two");
  const [one, two] = kernel.sent as { id: string; name: string }[];
  expect(one).toMatchObject({ kind: "call", name: "one", arguments: { a: 1 } });
  kernel.say({ kind: "reply", id: two?.id, error: "no" });
  kernel.say({ kind: "reply", id: "another page's", result: 5 });
  kernel.say({ kind: "reply", id: one?.id, result: 7 });
  await expect(first).resolves.toBe(7);
  await expect(second).rejects.toThrow("no");
});

test("a late answer is told, and forgotten when it comes", async () => {
  const call = connection.call("pause");
  vi.advanceTimersByTime(1_600);
  expect(connection.late).toBe(1);
  kernel.say({ kind: "reply", id: (kernel.sent[0] as { id: string }).id, result: null });
  await call;
  expect(connection.late).toBe(0);
});

test("a line that is cut is no error, and is told", () => {
  connection.show("view", true);
  kernel.send = () => {
    throw new Error("Cannot send");
  };
  connection.show("view", false);
  expect(connection.gone).toBe(true);
});

test("a kernel that never answers is an error in the end", async () => {
  const call = connection.call("pause");
  vi.advanceTimersByTime(120_001);
  await expect(call).rejects.toThrow("did not answer");
});

test.each(["restarting", "autorestarting", "dead"])("a kernel that is %s has ended", (status) => {
  connection.show("a", true);
  kernel.say(update([row(1)]));
  kernel.widget_manager = { kernel: { status: "idle" } };
  vi.advanceTimersByTime(600);
  expect(connection.gone).toBe(false);
  kernel.widget_manager.kernel.status = status;
  vi.advanceTimersByTime(600);
  expect(connection.gone).toBe(true);
  expect(connection.store.rows).toHaveLength(1); // as it was
});

test("a line that Jupyter has cut is dead until somebody answers", () => {
  connection.show("a", true);
  kernel.say(update([row(1)]));
  kernel.fire("comm_live_update");
  expect(connection.gone).toBe(true);
  kernel.say(update([row(2)]));
  expect(connection.gone).toBe(false);
});

test("a line that cannot be spoken on is dead", () => {
  connection.show("a", true);
  kernel.say(update([row(1)]));
  kernel.broken = true;
  connection.call("pause").catch(() => {});
  expect(connection.gone).toBe(true);
});

test("of a kernel that has ended nothing is asked, and who asked before is told", async () => {
  connection.show("a", true);
  kernel.say(update([row(1)]));
  expect(connection.can).toEqual({ ask: true, act: true, edit: true });
  const before = connection.call("state");
  vi.advanceTimersByTime(1_600);
  expect(connection.late).toBe(1);
  kernel.widget_manager = { kernel: { status: "restarting" } };
  vi.advanceTimersByTime(600);
  await expect(before).rejects.toThrow("the kernel has ended");
  const sent = kernel.sent.length;
  await expect(connection.call("send")).rejects.toThrow("the kernel has ended");
  expect(kernel.sent).toHaveLength(sent);
  expect(connection.late).toBe(0);
  expect(connection.can).toEqual({ ask: false, act: false, edit: false });
});

test("what can be done is told by the session, too", () => {
  expect(connection.can).toEqual({ ask: true, act: false, edit: false }); // nothing is known yet
  kernel.say(update([], { header: { ...HEADER, editable: false } }));
  expect(connection.can).toEqual({ ask: true, act: true, edit: false });
  kernel.say(update([], { header: { ...HEADER, state: "stopped" } }));
  expect(connection.can).toEqual({ ask: true, act: false, edit: false });
});
