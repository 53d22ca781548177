// A value inside a message or a state, looked for in what a page holds; statefun_nb/views/matching.py
// does the same with whole values.
import type { Lookup } from "./filter";
import type { Detail, Node } from "./wire";

/** Does the value compare so? undefined: it was cut. */
export function valueIn(detail: Detail, { of, path, compare, value }: Lookup): boolean | undefined {
  let node: Node | undefined = of === "message" ? detail.message : detail.after;
  for (const name of path.match(/[^.[\]]+/g) ?? []) {
    const inside = child(node, name);
    if (inside === CUT) return undefined;
    if (inside === MISSING) return false;
    node = inside as Node;
  }
  return compares(node, compare, value);
}

const CUT = Symbol("cut");
const MISSING = Symbol("missing");

function child(node: Node, name: string): Node | typeof CUT | typeof MISSING {
  if (!Array.isArray(node)) return MISSING;
  if (node[0] === "map") {
    const found = node[1].find(([key]) => key === name);
    return found ? found[1] : node[1].length < node[2] ? CUT : MISSING;
  }
  if (node[0] === "list") {
    const found = /^\d+$/.test(name) ? node[1][Number(name)] : undefined;
    if (found !== undefined) return found;
    return Number(name) < node[2] ? CUT : MISSING;
  }
  return node[0] === "deep" || node[0] === "object" ? CUT : MISSING;
}

const ORDER: Record<string, (a: number, b: number) => boolean> = {
  ">": (a, b) => a > b,
  "<": (a, b) => a < b,
  ">=": (a, b) => a >= b,
  "<=": (a, b) => a <= b,
};

function compares(node: Node, compare: string, value: string): boolean | undefined {
  const wanted = value.trim() === "" ? Number.NaN : Number(value);
  const order = ORDER[compare];
  const at = Array.isArray(node) && node[0] === "number" ? Number(node[1]) : node;
  if (order) {
    const number = typeof at === "boolean" ? Number(at) : at;
    return typeof number === "number" && order(number, wanted);
  }
  const has = (text: string) => text.toLowerCase().includes(value.toLowerCase());
  if (at === null || typeof at === "boolean") {
    const word = at === null ? "none" : String(at);
    return compare === ":" ? has(word) : value.toLowerCase() === word;
  }
  if (typeof at === "number") return compare === ":" ? has(String(at)) : at === wanted;
  if (typeof at === "string") return compare === ":" ? has(at) : at === value;
  if (at[0] === "text") return compare === ":" && has(at[1]) ? true : undefined;
  // Python's words for a container, or for bytes, are not here.
  return undefined;
}
