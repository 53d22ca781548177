// The filter language: words and `name:value` terms, joined by AND (or nothing), OR, NOT, brackets;
// between two terms also by `and`, `or`.
//
//   type:example/person  type:person  type:example/*   the function
//   id:bob  id:"two words"  ID: bob                    the instance
//   caller:greeter  caller:ingress                     who sent the message
//   status=error  error:  error:Value                  what failed, and with which words
//   status:repaired  status:rolled                     errors repaired since; what was undone
//   state:visits  message:hi  sent:greetings           text in the change, message or effects
//   topic:mails                                        records of a topic
//   message.qty>2  state.total>100                     a value inside; the kernel looks for it
//   seq:7  #7  cause:7  ms>5  ms > 5                   numbers
//   since:5s                                           the last 5 seconds (ms, s, m, h)
//   -term  NOT term  !=                                not so
//   anything else                                      text anywhere in the row
import { FIELDS, type Field, isField, type Token, tokens } from "./tokens";
import type { Out, Row } from "./wire";

/** A value inside a message or a state: only the kernel has it whole. */
export interface Lookup {
  of: "message" | "state";
  path: string;
  compare: string;
  value: string;
}

/** What a test may need beside the row. */
export interface Around {
  /** The session's clock, in milliseconds. */
  now: number;
  matched: (lookup: Lookup, seq: number) => boolean;
}

export type Test = (row: Row, around: Around) => boolean;

/** One of the terms that must all hold, as it was typed. */
export interface Part {
  text: string;
  /** What it asks about, where it is a single term: "id", "message.qty"; "" else. */
  field: string;
  test: Test;
}

export interface Filter {
  test: (row: Row, around?: Around) => boolean;
  /** What could not be understood; "" when all was. */
  problem: string;
  parts: Part[];
  /** Are there alternatives at its top? They are one part, without brackets. */
  either: boolean;
  lookups: Lookup[];
  /** Does what matches change while time passes? */
  timed: boolean;
  /** The one function and the one id that are asked for, if so: other panes follow them. */
  typename: string;
  id: string;
}

const NOTHING_AROUND: Around = { now: 0, matched: () => false };

export function parseFilter(text: string): Filter {
  return new Parser(tokens(text)).filter();
}

class Parser {
  private at = 0;
  private problem = "";
  private timed = false;
  private readonly lookups: Lookup[] = [];
  private typename = "";
  private id = "";
  /** Brackets, OR and NOT around the term that is read. */
  private depth = 0;

  constructor(private readonly tokens: Token[]) {}

  filter(): Filter {
    const alternatives = this.alternatives();
    if (this.at < this.tokens.length) this.problem ||= '")" without "("';
    const either = alternatives.length > 1;
    const parts = either ? [joined(alternatives)] : alternatives.flat();
    const shown = parts.filter((part) => part.text !== "");
    const { problem, timed, lookups, typename, id } = this;
    return {
      test: (row, around = NOTHING_AROUND) => shown.every((part) => part.test(row, around)),
      problem,
      parts: shown,
      either,
      timed,
      lookups,
      typename: either ? "" : typename,
      id: either ? "" : id,
    };
  }

  private alternatives(): Part[][] {
    const found: Part[][] = [];
    let current: Part[] = [];
    while (this.at < this.tokens.length) {
      const token = this.tokens[this.at] as Token;
      if (token.kind === "close") break;
      if (token.kind === "or") {
        this.at++;
        if (current.length) found.push(current);
        current = [];
      } else if (token.kind === "and") {
        this.at++;
      } else {
        const part = this.part();
        if (part) current.push(part);
      }
    }
    if (current.length) found.push(current);
    return found;
  }

  private part(): Part | null {
    const token = this.tokens[this.at++] as Token;
    if (token.kind === "not") {
      if (this.at >= this.tokens.length) return null;
      this.depth++;
      const part = this.part();
      this.depth--;
      if (!part) return null;
      const text = token.text === "-" ? `-${part.text}` : `NOT ${part.text}`;
      return { text, field: "", test: (row, around) => !part.test(row, around) };
    }
    if (token.kind === "open") {
      this.depth++;
      const inner = joined(this.alternatives());
      this.depth--;
      if (this.tokens[this.at]?.kind === "close") this.at++;
      return { text: `(${inner.text})`, field: "", test: inner.test };
    }
    const test = this.term(token);
    if (typeof test === "string") {
      this.problem ||= test;
      return null;
    }
    return { text: token.text, field: fieldOf(token), test };
  }

  private term({ field, path, compare, value, text }: Token): Test | string {
    if (field === "") return anywhere(value);
    const name = field;
    if (path !== "") {
      if (name !== "message" && name !== "state") {
        return `"${text}": only message. and state. have values inside`;
      }
      return this.lookup(
        { of: name, path, compare: compare === "!=" ? "=" : compare, value },
        compare,
      );
    }
    if (!isField(name)) {
      return `"${field}:" is not known: use ${FIELDS.map((each) => `${each}:`).join(" ")}`;
    }
    if (name === "since") this.timed = true;
    const plain = compare === ":" || compare === "=";
    if (plain && this.depth === 0 && !value.includes("*")) {
      if (name === "type") this.typename = value;
      if (name === "id") this.id = value;
    }
    const test = fieldTest(name, compare === "!=" ? "=" : compare, value);
    if (typeof test === "string" || compare !== "!=") return test;
    return (row, around) => !test(row, around);
  }

  private lookup(lookup: Lookup, compare: string): Test {
    this.lookups.push(lookup);
    const found: Test = (row, { matched }) => matched(lookup, row.seq);
    return compare === "!=" ? (row, around) => !found(row, around) : found;
  }
}

/** Alternatives, each of terms that must all hold, as one. */
function joined(alternatives: Part[][]): Part {
  return {
    text: alternatives.map(written).join(" OR "),
    field: "",
    test: (row, around) =>
      alternatives.some((each) => each.every((part) => part.test(row, around))),
  };
}

function fieldOf({ field, path }: Token): string {
  return path === "" ? field : `${field}.${path}`;
}

function fieldTest(field: Field, compare: string, value: string): Test | string {
  const has = containing(value);
  switch (field) {
    case "type":
      return typeTest(value, (row) => row.typename);
    case "caller":
      if (value === "ingress") return (row) => row.caller === "";
      return typeTest(value, (row) => splitAddress(row.caller)[0]);
    case "id":
      return pattern(value, (row) => row.id);
    case "status":
      return statusTest(value.toLowerCase());
    case "error":
      return (row) => row.status === "error" && has(row.error);
    case "state":
      return (row) => row.change !== "" && has(row.change);
    case "message":
      return (row) => has(row.message);
    case "sent":
      return (row) => row.outs > 0 && row.out.some((out) => has(outWords(out)));
    case "topic":
      return (row) =>
        row.out.some((out) => out.topic !== "" && pattern(value, () => out.topic)(row));
    case "since":
      return sinceTest(value);
    default:
      return numberTest(field, compare, value);
  }
}

const STATUSES = ["ok", "error", "rolled back", "repaired"];

/** A repaired error is found as an error, too; the beginning of a word will do. */
function statusTest(value: string): Test | string {
  if (!STATUSES.some((each) => each.startsWith(value))) {
    const known = STATUSES.map((each) => term("status", each)).join(" ");
    return `"status:${value}" is not known: use ${known}`;
  }
  const repaired = "repaired".startsWith(value);
  return (row) => row.status.startsWith(value) || (repaired && row.repaired);
}

/** Exact, on the whole typename or its name alone; `*` stands for anything. */
function typeTest(value: string, of: (row: Row) => string): (row: Row) => boolean {
  if (value.includes("*")) return pattern(value, of);
  return (row) => isNamed(of(row), value);
}

/** Is a typename meant by a name: the whole, or what follows its namespace? */
export function isNamed(typename: string, name: string): boolean {
  return typename === name || typename.split("/")[1] === name;
}

function pattern(value: string, of: (row: Row) => string): (row: Row) => boolean {
  if (!value.includes("*")) return (row) => of(row) === value;
  const escaped = value.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  const expression = new RegExp(`^${escaped}$`, "s");
  return (row) => expression.test(of(row));
}

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  ":": (a, b) => a === b,
  "=": (a, b) => a === b,
  ">": (a, b) => a > b,
  "<": (a, b) => a < b,
  ">=": (a, b) => a >= b,
  "<=": (a, b) => a <= b,
};

function numberTest(field: "seq" | "cause" | "ms", compare: string, value: string): Test | string {
  // Also as in ms:>5.
  const match = /^([<>]=?)?(\d+(?:\.\d+)?)$/.exec(value.trim());
  if (!match) return `"${field}${compare}${value}" needs a number, as in ${field}:7 or ${field}>7`;
  const number = Number(match[2]);
  const holds = COMPARE[match[1] ?? compare] ?? COMPARE["="];
  return (row) => holds?.(row[field], number) ?? false;
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, "": 1_000 };

function sinceTest(value: string): Test | string {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(value.trim());
  if (!match) return `"since:${value}" needs a time, as in since:5s or since:10m`;
  const span = Number(match[1]) * (UNITS[match[2] ?? ""] ?? 1_000);
  return (row, { now }) => row.time >= now - span;
}

/** Quotation marks do not count: a term, which has them around its words, cannot have them inside. */
function containing(part: string): (text: string) => boolean {
  const words = plain(part);
  return (text) => plain(text).includes(words);
}

function plain(text: string): string {
  return (text.includes('"') ? text.replaceAll('"', "") : text).toLowerCase();
}

/** A thing sent as one text: a search may span its parts, as in "example/out greetings". */
function outWords({ kind, where, id, topic, key, text }: Out): string {
  return `${kind} ${where} ${id} ${topic} ${key} ${text}`;
}

function anywhere(text: string): Test {
  const has = containing(text);
  return (row) =>
    has(`${row.typename}/${row.id}`) ||
    has(row.caller) ||
    has(row.message) ||
    has(row.change) ||
    has(row.error) ||
    has(row.status) ||
    (row.repaired && has("repaired")) ||
    row.out.some((out) => has(outWords(out)));
}

/** Typename and id of an address written `namespace/name/id`. */
export function splitAddress(address: string): [typename: string, id: string] {
  const first = address.indexOf("/");
  const second = address.indexOf("/", first + 1);
  return second < 0 ? [address, ""] : [address.slice(0, second), address.slice(second + 1)];
}

/** `name:value`, quoted where the value needs it. */
export function term(field: Field, value: string): string {
  const safe = value.replaceAll('"', "*");
  return /[\s()]/.test(safe) || safe === "" ? `${field}:"${safe}"` : `${field}:${safe}`;
}

/** The filter of one address. */
export function addressFilter(typename: string, id: string): string {
  return `${term("type", typename)} ${term("id", id)}`;
}

function written(parts: Part[]): string {
  return parts.map((part) => part.text).join(" ");
}

/** A filter without one of its terms. */
export function without(parts: Part[], part: Part): string {
  return written(parts.filter((each) => each !== part));
}

/** A filter with more terms, in the place of those that ask about the same. */
export function withTerms(text: string, added: string): string {
  const { parts, either } = parseFilter(text);
  const more = parseFilter(added).parts;
  const replaced = (part: Part) =>
    more.some((each) => each.text === part.text || (part.field && each.field === part.field));
  const kept = written(parts.filter((part) => !replaced(part)));
  // AND binds tighter than OR.
  return [either && kept ? `(${kept})` : kept, added].filter(Boolean).join(" ");
}
