import { expect, test } from "vitest";
import { addressParts, place, shape, typeParts } from "../src/graph";
import { Store } from "../src/store";
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
        types: { "example/person": [3, 0], "example/greeter": [3, 1] },
      },
    ),
  );
  return found;
}

test("types, ingress and egress are nodes, from left to right", () => {
  const { nodes, edges, width, height } = place(typeParts(store()));
  const x = Object.fromEntries(nodes.map((node) => [node.label, node.x]));
  expect(Object.keys(x).sort()).toEqual([
    "example/greeter",
    "example/out",
    "example/person",
    "ingress",
  ]);
  expect([x.ingress, x["example/person"], x["example/greeter"], x["example/out"]]).toEqual(
    Object.values(x).sort((a, b) => a - b),
  );
  expect(edges.map((edge) => edge.count).sort()).toEqual([1, 2, 2, 3]);
  expect(width).toBeGreaterThan(600);
  expect(height).toBeGreaterThan(40);
  expect(nodes.find((node) => node.errors)?.label).toBe("example/greeter");
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
  const { nodes, edges } = place(addressParts(store()));
  expect(nodes.map((node) => node.label).sort()).toEqual(["bob", "bob", "example/out", "ingress"]);
  expect(edges).toHaveLength(3);
  const many = new Store();
  many.apply(
    update(Array.from({ length: 500 }, (_, index) => row(index + 1, { id: `id ${index}` }))),
  );
  const parts = addressParts(many);
  expect(parts.cut).toBe(true);
  expect(parts.nodes.size).toBeLessThan(130);
});

test("nothing at all has a layout, too", () => {
  expect(place(typeParts(new Store())).nodes).toEqual([]);
});
