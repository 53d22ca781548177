import { describe, expect, test } from "vitest";
import filters from "../../tests/views/filters.json";
import { parseFilter, splitAddress, term, withTerms } from "../src/filter";
import { out, row } from "./rows";

const BOB = row(7, {
  typename: "example/person",
  id: "bob",
  caller: "example/greeter/al/1",
  message: "Hello there",
  change: "visits: 1 → 2",
  out: [out({ kind: "egress", where: "example/out", topic: "greetings", key: "k", text: "hi" })],
  outs: 1,
  ms: 12,
  cause: 3,
});
const FAILED = row(8, { id: "two words", status: "error", error: "ValueError: no such greeting" });

describe("a filter takes", () => {
  test.each([
    ["", true, true],
    ["type:example/person", true, true],
    ["type:person", true, true],
    ["type:pers", false, false],
    ["type:example/*", true, true],
    ["type:*greet*", false, false],
    ["id:bob", true, false],
    ["id:b*", true, false],
    ['id:"two words"', false, true],
    ["caller:greeter", true, false],
    ["status:error", false, true],
    ["status:ok", true, false],
    ["error:", false, true],
    ["error:valueerror", false, true],
    ["error:KeyError", false, false],
    ["state:visits", true, false],
    ["state:", true, false],
    ["message:HELLO", true, true],
    ["sent:greetings", true, false],
    ['sent:"greetings k hi"', true, false],
    ["seq:7", true, false],
    ["seq:>7", false, true],
    ["ms:>5", true, false],
    ["ms:<5", false, true],
    ["cause:3", true, false],
    ["-id:bob", false, true],
    ["-status:error there", true, false],
    ["there", true, false],
    ['"hello there"', true, false],
    ["type:person id:bob status:ok hello", true, false],
    ["type:person id:bob status:error", false, false],
    ["greeting", true, true],
    ["person AND hello", true, true],
    ["bob OR error", true, true],
    ["id:nobody OR error:", false, true],
    ["status=error", false, true],
    ["status!=error", true, false],
    ["ID:bob", true, false],
    ["id: bob", true, false],
    ['id: "two words"', false, true],
    ["error: id:bob", false, false],
    ["topic:greetings", true, false],
    ["topic:greet*", true, false],
    ["ms>5", true, false],
    ["ms>=12", true, false],
    ["seq<=7", true, false],
    ["caller:ingress", false, true],
    ["NOT id:bob", false, true],
    ["(id:bob OR id:al) hello", true, false],
    ["NOT (id:bob OR id:al)", false, true],
    ["example/person/bob", true, false],
    ["function:person status:ok", true, false],
    ["x=1", false, false],
  ])("%s", (text, bob, failed) => {
    const { test: matches, problem } = parseFilter(text);
    expect(problem).toBe("");
    expect([matches(BOB), matches(FAILED)]).toEqual([bob, failed]);
  });

  test("a pattern as text, not as an expression", () => {
    expect(parseFilter("id:b.b*").test(BOB)).toBe(false);
    expect(parseFilter("id:(((*").test(BOB)).toBe(false);
  });
});

describe("a filter knows what became of an invocation", () => {
  const OPEN = row(1, { status: "error", error: "ValueError: no" });
  const REPAIRED = row(2, { status: "error", error: "ValueError: no", repaired: true });
  const UNDONE = row(3, { status: "rolled back" });
  const FINE = row(4);
  test.each([
    ["status:error", [1, 2]],
    ["error:", [1, 2]],
    ["status:repaired", [2]],
    ["repaired", [2]],
    ["status:error -status:repaired", [1]],
    ["status:rolled", [3]],
    ['status:"rolled back"', [3]],
    ["status:ok", [4]],
  ])("%s", (text, found) => {
    const { test: matches } = parseFilter(text);
    const rows = [OPEN, REPAIRED, UNDONE, FINE].filter((each) => matches(each));
    expect(rows.map(({ seq }) => seq)).toEqual(found);
  });
});

describe("a filter says what it does not understand", () => {
  test.each([
    ["typ:person", '"typ:" is not known'],
    ["status:eror", 'use status:ok status:error status:"rolled back" status:repaired'],
    ["status:*", '"status:*" is not known'],
    ["seq:abc", "needs a number"],
    ["ms:", "needs a number"],
    ["since:soon", "needs a time"],
    ["id.x:1", "have values inside"],
  ])("%s", (text, problem) => {
    expect(parseFilter(text).problem).toContain(problem);
  });

  test("and what it does understand still holds", () => {
    expect(parseFilter("typ:x id:bob").test(FAILED)).toBe(false);
  });

  test.each(['"', '""', "-", ":", "a:b:c", '-"', "   ", "(", ")", "OR", "NOT", "AND AND", "(()"])(
    "%s breaks nothing",
    (text) => {
      expect(() => parseFilter(text).test(BOB)).not.toThrow();
    },
  );
});

test("what other panes follow is the function and the id that are asked for", () => {
  const asked = parseFilter('status:error type:a/b id:"two words"');
  expect([asked.typename, asked.id]).toEqual(["a/b", "two words"]);
  for (const text of ["hello -id:bob type:a/*", "type:a/b OR id:bob", "NOT (type:a/b id:bob)"]) {
    const none = parseFilter(text);
    expect([none.typename, none.id]).toEqual(["", ""]);
  }
});

test("the terms are told apart, for chips and for what is without one", () => {
  const { parts } = parseFilter('ID: bob AND (error: OR ms>5) -status=ok "two words"');
  expect(parts.map(({ text }) => text)).toEqual([
    "ID:bob",
    "(error: OR ms>5)",
    "-status=ok",
    '"two words"',
  ]);
});

test("a value inside is looked for by the kernel", () => {
  const { lookups, test: matches } = parseFilter("message.items[0].qty>=2 state.total!=7");
  expect(lookups).toEqual([
    { of: "message", path: "items[0].qty", compare: ">=", value: "2" },
    { of: "state", path: "total", compare: "=", value: "7" },
  ]);
  const around = (found: boolean[]) => ({ now: 0, matched: () => found.shift() ?? false });
  expect(matches(BOB, around([true, false]))).toBe(true);
  expect(matches(BOB, around([true, true]))).toBe(false);
});

test("since is told by the session's clock", () => {
  const filter = parseFilter("since:5s");
  const at = (now: number) => filter.test(row(1, { time: 1_000 }), { now, matched: () => false });
  expect([filter.timed, at(6_000), at(6_001)]).toEqual([true, true, false]);
});

test("one more term takes the place of another of its field", () => {
  expect(withTerms("status:error id:bob", term("id", "al"))).toBe("status:error id:al");
  expect(withTerms("", "id:al")).toBe("id:al");
});

test("a term made of a value finds that value", () => {
  for (const id of ["bob", "two words", 'a "quoted" one', "ünïcode", "-x", "a:b"]) {
    expect(parseFilter(term("id", id)).test(row(1, { id }))).toBe(true);
  }
});

test("an address is split after its typename", () => {
  expect(splitAddress("example/person/bob")).toEqual(["example/person", "bob"]);
  expect(splitAddress("example/person/a/b")).toEqual(["example/person", "a/b"]);
  expect(splitAddress("")).toEqual(["", ""]);
});

test("a term takes the place of one of its field, however it compares", () => {
  expect(withTerms("id:bob seq>=3", "seq>=7")).toBe("id:bob seq>=7");
  expect(withTerms("id:bob ms>5", "status:ok")).toBe("id:bob ms>5 status:ok");
  expect(withTerms("id:bob", "id:ann")).toBe("id:ann");
});

test("terms that are added hold for all alternatives", () => {
  const added = withTerms("id:bob OR id:ann", "seq>=8");
  expect(added).toBe("(id:bob OR id:ann) seq>=8");
  const { test: matches } = parseFilter(added);
  const rows = [row(7), row(9), row(9, { id: "ann" }), row(7, { id: "ann" })];
  expect(rows.map((each) => matches(each))).toEqual([false, true, true, false]);
  expect(withTerms(added, "seq>=9")).toBe("(id:bob OR id:ann) seq>=9");
  expect(withTerms("status:error or id:bob", "status:ok")).toBe(
    "(status:error OR id:bob) status:ok",
  );
});

test("several terms are added at once, each in the place of those of its field", () => {
  expect(withTerms("seq>=1 hello seq<=9", "seq>=3 seq<=4")).toBe("hello seq>=3 seq<=4");
  expect(withTerms("function:cart ms>5", "type:a/b id:bob")).toBe("ms>5 type:a/b id:bob");
  expect(withTerms("message.qty>2", "message:hat")).toBe("message.qty>2 message:hat");
});

describe("a filter is taken as people type it", () => {
  const CARD = row(5, { status: "error", error: "KeyError: 'card'", ms: 3 });
  test.each([
    ["ms > 2", true],
    ["ms >5", false],
    ["ms> 2", true],
    ["ms == 3", true],
    ["ms==4", false],
    ["-ms > 5", true],
    ["id : bob", true],
    ["#5", true],
    ["#6", false],
    ['"#5"', false],
    ["KeyError: 'card'", true],
    ["KeyError: 'cash'", false],
    ["bob and card", true],
    ["bob and ann", false],
    ["ann or card", true],
    ["ann Or (ben or card)", true],
    ["bob and not card", false],
    ["or", true],
    ["ann or", false],
    ["or ann", false],
    ['ann "or" card', false],
    ["x > 5", false],
  ])("%s", (text, found) => {
    const { test: matches, problem } = parseFilter(text);
    expect(problem).toBe("");
    expect(matches(CARD)).toBe(found);
  });

  test("also where the kernel looks", () => {
    expect(parseFilter("message.qty > -2 state.total == 5").lookups).toEqual([
      { of: "message", path: "qty", compare: ">", value: "-2" },
      { of: "state", path: "total", compare: "=", value: "5" },
    ]);
  });

  test("what is in capitals and known is a field, and what is not known is said", () => {
    expect(parseFilter("ID:ann").test(CARD)).toBe(false);
    expect(parseFilter("keyerror: card").problem).toContain("is not known");
  });
});

describe("Python reads a filter alike", () => {
  test.each(filters.understood)("and takes %s", (text) => {
    expect(parseFilter(text).problem).toBe("");
  });
  test.each(filters.problems)("and does not take %s", (text) => {
    expect(parseFilter(text).problem).not.toBe("");
  });
});

test.each(['message:"{order: dora, qty: 2}"', 'message:"order": "dora"', '"order: dora"'])(
  "a message is found with or without its quotation marks: %s",
  (text) => {
    const { test: matches, problem } = parseFilter(text);
    expect(problem).toBe("");
    expect(matches(row(1, { message: '{"order": "dora", "qty": 2}' }))).toBe(true);
    expect(matches(row(1, { message: '{"order": "bob", "qty": 2}' }))).toBe(false);
  },
);
