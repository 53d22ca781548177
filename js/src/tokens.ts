// The words of a filter, as people type them.

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
const TERM = /^([a-z_]+)((?:[.[][^:=<>!"]*)?)(:|!=|>=|<=|=|>|<)(.*)$/is;
const OPERATORS: Record<string, Token["kind"]> = { AND: "and", OR: "or", NOT: "not" };

export function tokens(text: string): Token[] {
  const words = text.match(WORD) ?? [];
  const found: Token[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string;
    if (word === '"' || word === '""') continue;
    const operator = OPERATORS[word];
    if (operator) found.push(plain(operator, word));
    else if (word === "(") found.push(plain("open", word));
    else if (word === ")") found.push(plain("close", word));
    else {
      const bare = word.startsWith("-") && word.length > 1;
      if (bare) found.push(plain("not", "-"));
      const token = term(bare ? word.slice(1) : word);
      // `id: bob`: the value may stand apart, unless what follows is a term of its own.
      const next = words[at + 1];
      if (token.field && token.value === "" && next && isValue(next) && !word.endsWith('"')) {
        at++;
        token.value = unquote(next);
        token.text = `${token.text}${next}`;
      }
      found.push(token);
    }
  }
  return found;
}

function isValue(word: string): boolean {
  return !OPERATORS[word] && word !== "(" && word !== ")" && !TERM.test(word) && word[0] !== "-";
}

function term(word: string): Token {
  const match = word.startsWith('"') ? null : TERM.exec(word);
  if (!match) return { ...plain("term", word), value: unquote(word) };
  const [, field = "", path = "", compare = ":", value = ""] = match;
  return {
    kind: "term",
    text: word,
    field: field.toLowerCase(),
    path: path.replace(/^\./, ""),
    compare,
    value: unquote(value),
  };
}

function plain(kind: Token["kind"], text: string): Token {
  return { kind, text, field: "", path: "", compare: "", value: "" };
}

function unquote(text: string): string {
  return text.replaceAll('"', "");
}
