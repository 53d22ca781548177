// What changed between two values, as the kernel cut them.
import microdiff from "microdiff";
import { json } from "./format";
import type { Node } from "./wire";

export interface Change {
  kind: "added" | "removed" | "changed";
  path: string;
  before?: string;
  after?: string;
}

/** The changes from one tree to another, in the order of their paths. */
export function diff(before: Node, after: Node): Change[] {
  const root = { value: plain(before) };
  return microdiff(root, { value: plain(after) }, { cyclesFix: false }).map((each) => {
    const path = each.path.slice(1).reduce<string>((text, part) => {
      if (typeof part === "number") return `${text}[${part}]`;
      return text ? `${text}.${part}` : part;
    }, "");
    switch (each.type) {
      case "CREATE":
        return { kind: "added", path, after: show(each.value) };
      case "REMOVE":
        return { kind: "removed", path, before: show(each.oldValue) };
      default:
        return { kind: "changed", path, before: show(each.oldValue), after: show(each.value) };
    }
  });
}

/** A tree as plain JSON; what JSON has no word for becomes text that differs when it differs. */
export function plain(node: Node): unknown {
  if (!Array.isArray(node)) return node;
  switch (node[0]) {
    case "list":
      return node[1].map(plain);
    case "map":
      // No prototype: a key may be "__proto__".
      return Object.assign(
        Object.create(null),
        Object.fromEntries(node[1].map(([key, value]) => [key, plain(value)])),
      );
    case "text":
      return `${node[1]}… (${node[2]} characters)`;
    case "bytes":
      return `${node[2]} bytes ${node[1]}`;
    case "deep":
      return "…";
    default:
      return node[1];
  }
}

function show(value: unknown): string {
  return typeof value === "string" ? value : json(value);
}
