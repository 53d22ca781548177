// A run that has ended, in a page of its own: what a kernel would answer is in the page.
import { isNamed, type Lookup } from "./filter";
import { LocalModel, TRAITS } from "./localModel";
import { valueIn } from "./lookup";
import type { Matched } from "./selection";
import { inOrder } from "./sorting";
import type { Detail, StatePage, TimerPage, Update, WaitingPage } from "./wire";

/** What `s.report(path)` writes; statefun_nb/views/report.py says the same in Python. */
export interface Frozen {
  update: Update;
  details: Record<string, Detail>;
  states: Record<string, StatePage>;
  histories: Record<string, unknown>;
  timers: TimerPage;
  waiting: WaitingPage;
  functions: unknown;
}

type Arguments = Record<string, unknown>;

const AS_IT_WAS = "this is a report of a run that has ended: nothing can be done to it";

export class FrozenModel extends LocalModel {
  readonly frozen = true;

  constructor(private readonly data: Frozen) {
    super({ ...TRAITS, pane: "timeline" });
  }

  send(content: unknown): void {
    const message = content as { kind: string; id?: string; name?: string; arguments?: Arguments };
    if (message.kind === "hello") {
      queueMicrotask(() => this.hear(this.data.update));
    } else if (message.kind === "call") {
      const { id, name = "", arguments: args = {} } = message;
      const result = this.answer(name, args);
      const reply = result === undefined ? { error: this.missing(name) } : { result };
      queueMicrotask(() => this.hear({ kind: "reply", ...{ id, ...reply } }));
    }
  }

  private missing(name: string): string {
    return name === "detail" ? "this report has the details of newer invocations alone" : AS_IT_WAS;
  }

  private answer(name: string, args: Arguments): unknown {
    const { data } = this;
    const typename = String(args.typename ?? "");
    const id = String(args.id ?? "");
    switch (name) {
      case "detail":
        return data.details[String(args.seq)];
      case "state":
        return this.state(typename, args);
      case "history":
        return data.histories[`${typename}/${id}`] ?? [];
      case "timers":
        return of(data.timers, typename, id);
      case "waiting":
        return of(data.waiting, typename, id);
      case "matching":
        return this.matching(args as unknown as Lookup & { after: number });
      case "functions":
        return data.functions;
      default:
        return undefined;
    }
  }

  /** Values as the report holds them, which has cut long ones. */
  private matching({ after, ...lookup }: Lookup & { after: number }): Matched {
    const seqs: number[] = [];
    let unknown = 0;
    let upto = after;
    for (const [seq] of this.data.update.rows) {
      if (seq <= after) continue;
      upto = Math.max(upto, seq);
      const detail = this.data.details[seq];
      const found = detail && valueIn(detail, lookup);
      if (found) seqs.push(seq);
      else if (found === undefined) unknown++;
    }
    return { seqs, upto, unknown };
  }

  private state(typename: string, args: Arguments): StatePage | undefined {
    const search = String(args.search ?? "");
    const sort = String(args.sort ?? "");
    const pages = Object.values(this.data.states);
    const page =
      this.data.states[typename] ??
      pages.find((each) => !typename || isNamed(each.typename, typename));
    if (!page) return pages[0] && { ...pages[0], typename, total: 0, rows: [] };
    const found = page.rows.filter((row) => row.id.includes(search));
    const rows = inOrder(found, sort, args.descending === true);
    const total = search ? rows.length : page.total;
    // The report has no more of them: there is nothing to show more of.
    return { ...page, rows, total, most: rows.length, ordered: sort ? rows.length : total };
  }
}

/** A page of a function or an instance; with a total of its own, unless all are meant. */
function of<T extends { typename: string; id: string }>(
  page: { total: number; rows: T[] },
  typename: string,
  id: string,
): { total: number; rows: T[] } {
  if (!typename && !id) return page;
  const rows = page.rows.filter(
    (row) => (!typename || isNamed(row.typename, typename)) && (!id || row.id === id),
  );
  return { ...page, rows, total: rows.length };
}

/** The data as the page has it: JSON, gzipped, in base64. */
export async function thaw(text: string): Promise<Frozen> {
  const bytes = Uint8Array.from(atob(text.trim()), (each) => each.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}
