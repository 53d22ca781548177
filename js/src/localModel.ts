// A model without Jupyter: its traits live in the page.
import type { Model } from "./connection";

type Listener = (...args: unknown[]) => void;

export abstract class LocalModel implements Model {
  private readonly listeners = new Map<string, Set<Listener>>();

  constructor(private readonly traits: Record<string, unknown>) {}

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    if (this.traits[name] === value) return;
    this.traits[name] = value;
    this.fire(`change:${name}`);
  }

  save_changes(): void {}

  on(event: string, callback: (...args: never[]) => void): void {
    const known = this.listeners.get(event) ?? new Set();
    known.add(callback as Listener);
    this.listeners.set(event, known);
  }

  off(event: string, callback?: (...args: never[]) => void): void {
    if (callback) this.listeners.get(event)?.delete(callback as Listener);
    else this.listeners.delete(event);
  }

  abstract send(content: unknown): void;

  /** What a kernel would have said. */
  protected hear(message: { kind: string }): void {
    const bytes = new TextEncoder().encode(JSON.stringify(message));
    this.fire("msg:custom", { kind: message.kind }, [bytes.buffer]);
  }

  private fire(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...args);
  }
}

export const TRAITS = {
  kind: "dashboard",
  typename: "",
  id: "",
  filter: "",
  selected: 0,
  pane: "invocations",
  picture: "",
};
