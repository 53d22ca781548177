// The filter language: words and `name:value` terms, all of which must hold.
//
//   type:example/person  type:person  type:example/*   the function
//   id:bob  id:"two words"                             the instance
//   caller:greeter                                     who sent the message
//   status:error  error:  error:Value                  what failed, and with which words
//   status:repaired  status:rolled                     errors repaired since; what was undone
//   state:visits  message:hi  sent:greetings           text in the change, message or effects
//   seq:7  cause:7  ms:>5                              numbers, also with > or <
//   -term                                              not so
//   anything else                                      text anywhere in the row
import type { Out, Row } from "./wire";

export type Test = (row: Row) => boolean;

export const FIELDS = [
  "type",
  "id",
  "caller",
  "status",
  "error",
  "state",
  "message",
  "sent",
  "seq",
  "cause",
  "ms",
] as const;
type Field = (typeof FIELDS)[number];

export interface Filter {
  test: Test;
  /** What could not be understood; "" when all was. */
  problem: string;
}

export function parseFilter(text: string): Filter {
  const tests: Test[] = [];
  let problem = "";
  for (const word of split(text)) {
    const term = parseTerm(word);
    if (typeof term === "string") problem ||= term;
    else tests.push(term);
  }
  return { test: (row) => tests.every((test) => test(row)), problem };
}

/** The one function and the one id that a filter asks for, if it does: other panes follow it. */
export function wanted(text: string): { typename: string; id: string } {
  const value = (field: string) => {
    const word = split(text).find((each) => each.startsWith(`${field}:`)) ?? "";
    const found = unquote(word.slice(field.length + 1));
    return found.includes("*") ? "" : found;
  };
  return { typename: value("type"), id: value("id") };
}

/** Words, with quotes around those that hold spaces; a quote may be left open. */
function split(text: string): string[] {
  const words = text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  return words.filter((word) => word !== '"' && word !== '""');
}

function parseTerm(word: string): Test | string {
  if (word.startsWith("-") && word.length > 1) {
    const term = parseTerm(word.slice(1));
    return typeof term === "string" ? term : (row) => !term(row);
  }
  const match = /^([a-z]+):(.*)$/s.exec(word);
  if (!match || word.startsWith('"')) return anywhere(unquote(word));
  const [, name = "", rest = ""] = match;
  const value = unquote(rest);
  if (!isField(name)) {
    return `"${name}:" is not known: use ${FIELDS.map((field) => `${field}:`).join(" ")}`;
  }
  return fieldTest(name, value);
}

function isField(name: string): name is Field {
  return (FIELDS as readonly string[]).includes(name);
}

function unquote(text: string): string {
  return text.replaceAll('"', "");
}

function fieldTest(field: Field, value: string): Test | string {
  switch (field) {
    case "type":
      return typeTest(value, (row) => row.typename);
    case "caller":
      return typeTest(value, (row) => splitAddress(row.caller)[0]);
    case "id":
      return pattern(value, (row) => row.id);
    case "status":
      return statusTest(value.toLowerCase());
    case "error":
      return (row) => row.status === "error" && includes(row.error, value);
    case "state":
      return (row) => row.change !== "" && includes(row.change, value);
    case "message":
      return (row) => includes(row.message, value);
    case "sent":
      return (row) => row.outs > 0 && row.out.some((out) => includes(outWords(out), value));
    default:
      return numberTest(field, value);
  }
}

/** A repaired error is found as an error, too. */
function statusTest(value: string): Test {
  const repaired = "repaired".startsWith(value);
  return (row) => row.status.startsWith(value) || (repaired && row.repaired);
}

/** Exact, on the whole typename or its name alone; `*` stands for anything. */
function typeTest(value: string, of: (row: Row) => string): Test {
  if (value.includes("*")) return pattern(value, of);
  return (row) => of(row) === value || of(row).split("/")[1] === value;
}

function pattern(value: string, of: (row: Row) => string): Test {
  if (!value.includes("*")) return (row) => of(row) === value;
  const escaped = value.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  const expression = new RegExp(`^${escaped}$`, "s");
  return (row) => expression.test(of(row));
}

function numberTest(field: "seq" | "cause" | "ms", value: string): Test | string {
  const match = /^([<>]?)(\d+(?:\.\d+)?)$/.exec(value);
  if (!match) return `"${field}:${value}" needs a number, as in ${field}:7 or ${field}:>7`;
  const number = Number(match[2]);
  if (match[1] === ">") return (row) => row[field] > number;
  if (match[1] === "<") return (row) => row[field] < number;
  return (row) => row[field] === number;
}

function includes(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.toLowerCase());
}

/** A thing sent as one text: a search may span its parts, as in "example/out greetings". */
function outWords({ kind, where, id, topic, key, text }: Out): string {
  return `${kind} ${where} ${id} ${topic} ${key} ${text}`;
}

function anywhere(text: string): Test {
  const part = text.toLowerCase();
  const has = (words: string) => words.toLowerCase().includes(part);
  return (row) =>
    has(row.typename) ||
    has(row.id) ||
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
  return /[\s]/.test(safe) || safe === "" ? `${field}:"${safe}"` : `${field}:${safe}`;
}
