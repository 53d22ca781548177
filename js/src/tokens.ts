// The words of a filter, as people type them; statefun_nb/views/filters.py reads them alike.

export const FIELDS = [
  "type",
  "id",
  "caller",
  "status",
  "error",
  "state",
  "message",
  "sent",
  "topic",
  "seq",
  "cause",
  "ms",
  "since",
] as const;
export type Field = (typeof FIELDS)[number];

/** What else a field is called. */
const CALLED: Record<string, Field> = { function: "type" };

export interface Token {
  kind: "term" | "and" | "or" | "not" | "open" | "close";
  text: string;
  /** Of a term: `field.path compare value`; a field "" is plain text. */
  field: string;
  path: string;
  compare: string;
  value: string;
}

const WORD = /\(|\)|(?:"[^"]*"?|[^\s"()])+/g;
const TERM = /^([a-z_]+)((?:[.[][^:=<>!"]*)?)(:|!=|>=|<=|==?|>|<)(.*)$/is;
/** A field and nothing else; a comparison, and what may touch it. */
const NAME = /^-?([a-z_]+)(?:[.[][^:=<>!"]*)?$/i;
const COMPARISON = /^(?::|!=|>=|<=|==?|>|<)(?![:=<>!])/;
/** An invocation, as the page writes its number. */
const NUMBER = /^#(\d+)$/;
const OPERATORS: Record<string, Token["kind"]> = { AND: "and", OR: "or", NOT: "not" };

export function tokens(text: string): Token[] {
  const words = joined(text.match(WORD) ?? []);
  const found: Token[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === '"' || word === '""') continue;
    const next = words[at + 1];
    const operator = OPERATORS[word] ?? between(found.at(-1), word, next);
    if (operator) found.push(plain(operator, word));
    else if (word === "(") found.push(plain("open", word));
    else if (word === ")") found.push(plain("close", word));
    else {
      const bare = word.startsWith("-") && word.length > 1;
      if (bare) found.push(plain("not", "-"));
      const token = term(bare ? word.slice(1) : word);
      // `id: bob`: the value may stand apart, unless what follows is a term of its own.
      const apart = token.field !== "" && token.value === "" && !word.endsWith('"');
      if (apart && next && isValue(next, token.compare)) {
        at++;
        token.value = unquote(next);
        token.text = `${token.text}${next}`;
      }
      found.push(token);
    }
  }
  return found;
}

export function isField(name: string): name is Field {
  return (FIELDS as readonly string[]).includes(name);
}

/** `ms > 5`: a comparison may stand apart from its field. */
function joined(words: string[]): string[] {
  const found: string[] = [];
  for (const word of words) {
    const before = found.at(-1) ?? "";
    const name = NAME.exec(before)?.[1]?.toLowerCase() ?? "";
    if (isField(CALLED[name] ?? name) && COMPARISON.test(word)) found[found.length - 1] += word;
    else found.push(word);
  }
  return found;
}

/** `a or b`: in lower case these are operators between two terms, and words elsewhere. */
function between(before: Token | undefined, word: string, next = ")"): Token["kind"] | undefined {
  const operator = OPERATORS[word.toUpperCase()];
  const after = OPERATORS[next];
  if (next === ")" || after === "and" || after === "or") return undefined;
  if (operator === "not") return isJoint(before) ? operator : undefined;
  return before?.kind === "term" || before?.kind === "close" ? operator : undefined;
}

function isJoint(token: Token | undefined): boolean {
  return token?.kind === "and" || token?.kind === "or";
}

function isValue(word: string, compare: string): boolean {
  if (OPERATORS[word] || word === "(" || word === ")" || TERM.test(word)) return false;
  return word[0] !== "-" || (compare !== ":" && /^-[\d.]/.test(word));
}

function term(word: string): Token {
  const number = NUMBER.exec(word)?.[1];
  if (number) return { ...plain("term", word), field: "seq", compare: ":", value: number };
  const match = word.startsWith('"') ? null : TERM.exec(word);
  if (!match) return { ...plain("term", word), value: unquote(word) };
  const [, name = "", path = "", compare = ":", value = ""] = match;
  const field = CALLED[name.toLowerCase()] ?? name.toLowerCase();
  // `KeyError: 'card'`, as a traceback has it, and `x=1`.
  if (!isField(field) && (/^[A-Z]/.test(name) || (compare !== ":" && path === ""))) {
    return { ...plain("term", word), value: unquote(word) };
  }
  return {
    kind: "term",
    text: word,
    field,
    path: path.replace(/^\./, ""),
    compare: compare === "==" ? "=" : compare,
    value: unquote(value),
  };
}

function plain(kind: Token["kind"], text: string): Token {
  return { kind, text, field: "", path: "", compare: "", value: "" };
}

function unquote(text: string): string {
  return text.replaceAll('"', "");
}
