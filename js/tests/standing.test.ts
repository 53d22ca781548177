// @vitest-environment happy-dom
import { h, render } from "preact";
import { expect, test } from "vitest";
import type { Connection } from "../src/connection";
import { SessionContext } from "../src/hooks";
import { Standing } from "../src/Standing";
import { Selection } from "../src/selection";
import { Store } from "../src/store";
import { HEADER, update } from "./rows";

/** What stands above the panes. */
function told(header: Partial<typeof HEADER>): string {
  const store = new Store();
  store.apply(update([], { header: { ...HEADER, ...header } }));
  const connection = { store, gone: false, late: 0 } as Connection;
  const model = { get: () => 0, set() {}, save_changes() {}, on() {}, off() {}, send() {} };
  const selection = new Selection(store, connection);
  const root = document.createElement("div");
  render(
    h(SessionContext.Provider, {
      value: { connection, store, model, selection },
      children: h(Standing, {}),
    }),
    root,
  );
  return root.textContent ?? "";
}

test("a session whose file cannot be written says why, and that it shows what is in memory", () => {
  const text = told({ state: "broken", health: "kept.db was deleted" });
  expect(text).toContain("⚠ kept.db was deleted");
  expect(text).toContain("What is here is what it has in memory, its state too");
});

test("a session that runs says nothing, and one that is over says so", () => {
  expect(told({})).toBe("");
  expect(told({ state: "stopped" })).toBe("The session has been stopped.");
  expect(told({ state: "ended" })).toBe("The session has ended.");
});
