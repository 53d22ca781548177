// The rows that a filter leaves, kept up to date as rows come; one for all panes of a view.
import type { Connection } from "./connection";
import { type Around, type Filter, type Lookup, parseFilter } from "./filter";
import { counted } from "./format";
import type { Store } from "./store";
import type { Matches, Row } from "./wire";

/** Values inside messages are asked about, and times looked at, once in so long. */
const EVERY_MS = 1_000;

/** The answer to a lookup; of so many a report has not the whole values. */
export interface Matched extends Matches {
  unknown?: number;
}

interface Known {
  seqs: Set<number>;
  upto: number;
  asked: number;
  /** Why values could not be looked for; "" when they could. */
  problem: string;
  waiting: boolean;
}

export class Selection {
  filter: Filter = parseFilter("");
  /** Counts up when rows went, or others match. */
  version = 0;

  private text = "";
  private rows: Row[] = [];
  private seen = 0;
  private reordered = -1;
  private madeAt = 0;
  private readonly matches = new Map<string, Known>();

  constructor(
    private readonly store: Store,
    private readonly connection: Pick<Connection, "call">,
  ) {}

  /** Why values that the filter asks for could not be looked for; "" when they could. */
  get problem(): string {
    const problems = this.filter.lookups.map((each) => this.matches.get(keyOf(each))?.problem);
    return problems.find(Boolean) ?? "";
  }

  /** The rows that match, in the order of their numbers. */
  of(text: string): Row[] {
    const { store } = this;
    if (text !== this.text) {
      this.text = text;
      this.filter = parseFilter(text);
      this.reordered = -1;
    }
    const aged = this.filter.timed && Date.now() - this.madeAt > EVERY_MS;
    if (this.reordered !== store.reordered || aged) {
      const { test, parts } = this.filter;
      const around = this.around();
      this.rows = parts.length ? store.rows.filter((row) => test(row, around)) : store.rows.slice();
      this.madeAt = Date.now();
      this.version++;
    } else {
      this.addNew();
    }
    this.seen = store.rows.length;
    this.reordered = store.reordered;
    for (const lookup of this.filter.lookups) this.ask(lookup);
    return this.rows;
  }

  /** How many rows there would be without one of the terms. */
  countWithout(index: number): number {
    const around = this.around();
    const others = this.filter.parts.filter((_, at) => at !== index);
    return this.store.rows.filter((row) => others.every(({ test }) => test(row, around))).length;
  }

  private addNew(): void {
    const { rows } = this.store;
    if (this.seen === rows.length) return;
    const around = this.around();
    for (let index = this.seen; index < rows.length; index++) {
      const row = rows[index] as Row;
      if (this.filter.test(row, around)) this.rows.push(row);
    }
  }

  private around(): Around {
    return {
      now: this.store.now(),
      matched: (lookup, seq) => this.matches.get(keyOf(lookup))?.seqs.has(seq) ?? false,
    };
  }

  private ask(lookup: Lookup): void {
    const key = keyOf(lookup);
    let known = this.matches.get(key);
    if (!known) {
      known = { seqs: new Set(), upto: 0, asked: 0, problem: "", waiting: false };
      this.matches.set(key, known);
    }
    const last = this.store.rows.at(-1)?.seq ?? 0;
    if (known.waiting || last <= known.upto || Date.now() - known.asked < EVERY_MS) return;
    known.waiting = true;
    known.asked = Date.now();
    this.connection
      .call<Matched>("matching", { ...lookup, after: known.upto })
      .then(({ seqs, upto, unknown = 0 }) => {
        for (const seq of seqs) known.seqs.add(seq);
        known.upto = Math.max(known.upto, upto);
        known.problem = unknown ? lacking(unknown) : "";
      })
      .catch((reason) => {
        known.problem = reason instanceof Error ? reason.message : String(reason);
      })
      .finally(() => {
        known.waiting = false;
        this.reordered = -1;
        this.store.changed();
      });
  }
}

function lacking(unknown: number): string {
  return `This report has not the whole values of ${counted(unknown, "invocation")}.`;
}

function keyOf({ of, path, compare, value }: Lookup): string {
  return JSON.stringify([of, path, compare, value]);
}
