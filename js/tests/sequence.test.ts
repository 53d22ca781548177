import { expect, test } from "vitest";
import { namesWithout } from "../src/names";
import { sequence, sequenceMermaid, sequenceSvg } from "../src/sequence";
import { out, row } from "./rows";

const LINKS = [
  { row: row(1, { typename: "shop/cart", id: "ann", message: "hat; <b>" }), depth: 0 },
  {
    row: row(2, {
      typename: "shop/stock",
      id: "hat",
      caller: "shop/cart/ann",
      cause: 1,
      message: "1",
      status: "error",
      error: "no",
      out: [out({ kind: "egress", where: "shop/events", topic: "mails", text: "bought" })],
      outs: 1,
    }),
    depth: 1,
  },
];

test("lanes are addresses, arrows messages and records, in the order they were served", () => {
  const { lanes, arrows } = sequence(LINKS, namesWithout("shop"));
  expect(lanes).toEqual(["ingress", "cart/ann", "stock/hat", "events mails"]);
  expect(arrows.map(({ from, to, failed }) => [from, to, failed])).toEqual([
    [0, 1, false],
    [1, 2, true],
    [2, 3, false],
  ]);
});

test("as Mermaid, with nothing in it that Mermaid takes for its own", () => {
  expect(sequenceMermaid(sequence(LINKS, namesWithout("shop")))).toBe(`sequenceDiagram
    participant p0 as ingress
    participant p1 as cart/ann
    participant p2 as stock/hat
    participant p3 as events mails
    p0->>p1: hat b
    p1-xp2: 1
    p2->>p3: bought
`);
});

test("as a picture, in which payloads are words", () => {
  const svg = sequenceSvg(sequence(LINKS, namesWithout("shop")));
  expect(svg).toContain("hat; &lt;b&gt;");
  expect(svg).not.toContain("<b>");
});
