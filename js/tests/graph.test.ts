import { expect, test } from "vitest";
import { addFacts, addTimers, place, rowParts, shape, typeParts } from "../src/graph";
import { Store } from "../src/store";
import type { FunctionRow } from "../src/wire";
import { out, row, update } from "./rows";

function store() {
  const found = new Store();
  found.apply(
    update(
      [
        row(1, {
          id: "bob",
          out: [out({ where: "example/greeter", id: "bob", text: "x" })],
          outs: 1,
        }),
        row(2, {
          typename: "example/greeter",
          caller: "example/person/bob",
          status: "error",
          out: [out({ kind: "egress", where: "example/out", topic: "t", key: "k", text: "v" })],
          outs: 1,
        }),
      ],
      {
        edges: [
          ["message", "", "example/person", 3],
          ["message", "example/person", "example/greeter", 2],
          ["message", "example/greeter", "example/greeter", 1],
          ["egress", "example/greeter", "example/out", 2],
        ],
        types: {
          "example/person": [3, 0, 0],
          "example/greeter": [3, 2, 1],
          "example/late": [0, 0, 0],
        },
      },
    ),
  );
  return found;
}

test("types, ingress, egress and its topic are nodes, from left to right", () => {
  const { nodes, edges, width, height } = place(typeParts(store()));
  const x = Object.fromEntries(nodes.map((node) => [node.label, node.x]));
  const order = ["ingress", "example/person", "example/greeter", "example/out", "t"];
  expect(Object.keys(x).sort()).toEqual([...order, "example/late"].sort());
  const places = order.map((name) => x[name] ?? 0);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(edges.map(({ kind, count }) => `${kind} ${count}`).sort()).toEqual([
    "egress 2",
    "message 1",
    "message 2",
    "message 3",
    "topic 1",
  ]);
  expect(width).toBeGreaterThan(600);
  expect(height).toBeGreaterThan(40);
});

test("an error that was repaired is no error of the node any more", () => {
  const { nodes } = typeParts(store());
  expect(nodes.get("function example/greeter")?.errors).toBe(1);
});

test("a function that was declared and has had no message is there", () => {
  expect(typeParts(store()).nodes.get("function example/late")?.invocations).toBe(0);
});

test("functions before their first message stand in rows, in a narrow place below one another", () => {
  const found = new Store();
  const types = Object.fromEntries(["a", "b", "c", "d"].map((name) => [`x/${name}`, [0, 0, 0]]));
  found.apply(update([], { edges: [], types: types as Record<string, [number, number, number]> }));
  const columns = (direction: "LR" | "TB") => {
    const nodes = place(typeParts(found), direction).nodes;
    return [new Set(nodes.map(({ x }) => x)).size, new Set(nodes.map(({ y }) => y)).size];
  };
  expect(columns("LR")).toEqual([3, 2]);
  expect(columns("TB")).toEqual([1, 4]);
  expect(place(typeParts(found)).edges).toEqual([]);
});

test("a message to itself is a loop above the node", () => {
  const { nodes, edges } = place(typeParts(store()));
  const greeter = nodes.find(({ label }) => label === "example/greeter");
  const loop = edges.find(({ filter }) => filter === "type:example/greeter caller:example/greeter");
  expect(loop?.path).toMatch(/^M[\d.]+ [\d.]+C/);
  expect(loop?.label.y).toBeLessThan((greeter?.y ?? 0) - 22);
});

test("the label of a loop is within the picture, however narrow the boxes are", () => {
  const alone = new Store();
  alone.apply(update([], { edges: [["message", "a/f", "a/f", 12]], types: { "a/f": [12, 0, 0] } }));
  for (const direction of ["LR", "TB"] as const) {
    const { edges, width } = place(typeParts(alone), direction, { width: 100, lines: 2 });
    expect((edges[0]?.label.x ?? Infinity) + 40).toBeLessThan(width);
  }
});

test("what only waits for its time is there, with who sent it", () => {
  const parts = typeParts(store());
  const timer = { number: 1, due: 5, token: "", typename: "example/alarm", id: "x", text: "" };
  addTimers(parts, [
    { ...timer, owner: "example/person 'bob'" },
    { ...timer, owner: "" },
  ]);
  expect(parts.nodes.has("function example/alarm")).toBe(true);
  expect([...parts.edges.values()].filter(({ kind }) => kind === "timer")).toHaveLength(2);
});

test("a node says what waits, and how long its invocations take", () => {
  const parts = typeParts(store());
  const facts = { typename: "example/person", waiting: 5, parked: 1, p50: 2, p99: 9 };
  addFacts(parts, [facts as FunctionRow]);
  expect(parts.nodes.get("function example/person")).toMatchObject({ waiting: 5, p99: 9 });
});

test("a function and an egress of one name are two nodes", () => {
  const found = new Store();
  found.apply(update([], { edges: [["egress", "a/b", "a/b", 1]] }));
  expect(place(typeParts(found)).nodes).toHaveLength(2);
});

test("counts do not change the shape, new edges do", () => {
  const before = shape(typeParts(store()));
  const more = store();
  more.edges = more.edges.map((edge) => ({ ...edge, messages: edge.messages + 5 }));
  expect(shape(typeParts(more))).toBe(before);
  more.edges.push({ kind: "message", source: "", target: "x/y", messages: 1 });
  expect(shape(typeParts(more))).not.toBe(before);
});

test("single addresses come from the rows, and are bounded", () => {
  const { nodes, edges } = place(rowParts(store().rows, true));
  expect(nodes.map((node) => node.label).sort()).toEqual([
    "example/greeter/bob",
    "example/out",
    "example/person/bob",
    "ingress",
    "t",
  ]);
  expect(edges).toHaveLength(4);
  const many = Array.from({ length: 500 }, (_, index) => row(index + 1, { id: `id ${index}` }));
  const parts = rowParts(many, true);
  expect(parts.cut).toBe(true);
  expect(parts.nodes.size).toBeLessThan(130);
});

test("of some rows only what is in them", () => {
  const { edges } = rowParts(store().rows.slice(0, 1), false);
  expect([...edges.values()].map(({ kind, count }) => [kind, count])).toEqual([["message", 1]]);
});

test("nothing at all has a layout, too", () => {
  expect(place(typeParts(new Store())).nodes).toEqual([]);
});
