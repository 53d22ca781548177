// @vitest-environment happy-dom
import { h, render } from "preact";
import { expect, test, vi } from "vitest";
import { Connection } from "../src/connection";
import { HeaderBar } from "../src/HeaderBar";
import { SessionContext } from "../src/hooks";
import { Selection } from "../src/selection";
import type { Header } from "../src/wire";
import { HEADER, update } from "./rows";

// There is no canvas to draw on here.
vi.mock("../src/Sparkline", () => ({ Sparkline: () => null }));

/** What the header says of a session in this state, and the buttons that can be pressed. */
function shown(state: Header["state"]): [string, string[]] {
  const model = { get: () => 0, set() {}, save_changes() {}, on() {}, off() {}, send() {} };
  const connection = new Connection(model);
  const { store } = connection;
  store.apply(update([], { header: { ...HEADER, state } }));
  const selection = new Selection(store, connection);
  const session = { connection, store, model, selection };
  const root = document.createElement("div");
  render(
    h(SessionContext.Provider, {
      value: session,
      children: h(HeaderBar, { present: () => {}, presenting: false }),
    }),
    root,
  );
  connection.close();
  const status = root.querySelector("[role=status]")?.textContent ?? "";
  const buttons = [...root.querySelectorAll("button")].filter((button) => !button.disabled);
  return [status, buttons.map((button) => button.textContent ?? "")];
}

test.each([
  ["running", "● embedded, running", ["❚❚ Pause", "Step", "Clear view", "Present"]],
  ["paused", "❚❚ embedded, paused", ["▶ Resume", "Step", "Clear view", "Present"]],
  ["stopped", "■ embedded, stopped", ["Clear view", "Present"]],
  ["ended", "■ embedded, ended", ["Clear view", "Present"]],
  ["broken", "■ embedded, broken", ["Clear view", "Present"]],
] as const)("a session that is %s", (state, words, buttons) => {
  expect(shown(state)).toEqual([words, buttons]);
});
