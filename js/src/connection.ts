// The line to the kernel: updates come in, calls go out. One for each widget model.
import { uniqueName } from "./page";
import { Store } from "./store";
import { type CallReply, isOver, type Problem, type Update } from "./wire";

/** The part of an anywidget model that is used here. */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown): void;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback?: (...args: never[]) => void): void;
  /** Of Jupyter's: what knows the kernel. */
  widget_manager?: unknown;
  /** A run that has ended, in a page: it answers from what it holds. */
  frozen?: boolean;
}

/** What can be done in a view. */
export interface Abilities {
  /** Ask the kernel, also of a session that is over. */
  ask: boolean;
  /** Act on the session. */
  act: boolean;
  /** Change its state, and its clock. */
  edit: boolean;
}

/** What is looked at of a kernel, where a page knows it. */
interface Kernel {
  status?: string;
}

/** After so long without an answer the page says what it waits for. */
const PATIENCE_MS = 1_500;
const GIVE_UP_MS = 120_000;
/** A first word that came before the kernel could hear it is said again. */
const HELLO_MS = 1_000;
/** A kernel that is restarted says so to nobody but the page. */
const WATCH_MS = 500;
const ENDED = new Set(["restarting", "autorestarting", "terminating", "dead"]);
const HAS_ENDED = "the kernel has ended";
/** Acknowledgements cost the kernel more than updates: one for several will do. */
const ACK_MS = 500;

interface Pending {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
  patience: ReturnType<typeof setTimeout>;
  end: ReturnType<typeof setTimeout>;
}

export class Connection {
  readonly store = new Store();
  /** Calls that have been without an answer for too long. */
  late = 0;
  /** Has the kernel that this view belongs to ended? */
  gone = false;

  private readonly page = uniqueName();
  private readonly pending = new Map<string, Pending>();
  private next = 1;
  private views = new Set<unknown>();
  private readonly received = (
    message: { kind?: string },
    buffers: (DataView | ArrayBuffer)[],
  ): void => this.receive(message, buffers);
  private readonly watchPage = (): void => this.tellVisible();
  private readonly leave = (): void => this.tell("visible", { visible: false });
  private visible = false;
  private hello: ReturnType<typeof setInterval> | undefined;
  private ack: ReturnType<typeof setTimeout> | undefined;
  private newest = 0;
  private readonly commChanged = (): void => this.lineChanged();
  private watch: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly model: Model) {
    model.on("msg:custom", this.received);
    model.on("comm_live_update", this.commChanged);
    this.watch = setInterval(() => this.lookAtKernel(), WATCH_MS);
    document.addEventListener("visibilitychange", this.watchPage);
    window.addEventListener("pagehide", this.leave);
  }

  get can(): Abilities {
    const { header } = this.store;
    const ask = !this.gone && !this.model.frozen;
    const act = ask && header !== null && !isOver(header);
    return { ask, act, edit: act && header.editable };
  }

  close(): void {
    clearInterval(this.hello);
    clearInterval(this.watch);
    clearTimeout(this.ack);
    this.leave();
    this.model.off("comm_live_update", this.commChanged);
    this.model.off("msg:custom", this.received);
    document.removeEventListener("visibilitychange", this.watchPage);
    window.removeEventListener("pagehide", this.leave);
    for (const call of this.pending.values()) this.settle(call);
    this.pending.clear();
  }

  /** A view of this model can be seen, or not any more. */
  show(view: unknown, seen: boolean): void {
    if (seen) this.views.add(view);
    else this.views.delete(view);
    this.tellVisible();
  }

  private tellVisible(): void {
    const visible = this.views.size > 0 && document.visibilityState === "visible";
    if (visible === this.visible) return;
    this.visible = visible;
    // The first look brings all that is kept; later ones go on where the last ended.
    if (visible && !this.store.header) {
      this.sayHello();
    } else {
      clearInterval(this.hello);
      this.tell("visible", { visible });
    }
  }

  /** Jupyter has cut the line, or made a new one: only an answer tells which. */
  private lineChanged(): void {
    this.end();
    this.tell("hello", {}, false);
  }

  private lookAtKernel(): void {
    const manager = this.model.widget_manager as { kernel?: Kernel } | undefined;
    if (ENDED.has(manager?.kernel?.status ?? "")) this.end();
  }

  private end(): void {
    if (this.gone) return;
    this.gone = true;
    clearInterval(this.hello);
    this.late = 0;
    for (const call of this.pending.values()) {
      this.settle(call);
      call.reject(new Error(HAS_ENDED));
    }
    this.pending.clear();
    this.store.changed();
  }

  private sayHello(): void {
    clearInterval(this.hello);
    this.tell("hello");
    this.hello = setInterval(() => this.tell("hello"), HELLO_MS);
  }

  private acknowledge(number: number): void {
    this.newest = number;
    this.ack ??= setTimeout(() => {
      this.ack = undefined;
      this.tell("ack", { number: this.newest });
    }, ACK_MS);
  }

  /** Ask the kernel to do something. Rejects with what it says went wrong. */
  call<T>(name: string, args: Record<string, unknown> = {}): Promise<T> {
    if (this.gone) return Promise.reject(new Error(HAS_ENDED));
    const id = `${this.page}:${this.next++}`;
    return new Promise<T>((resolve, reject) => {
      const patience = setTimeout(() => {
        this.late++;
        this.store.changed();
      }, PATIENCE_MS);
      const end = setTimeout(() => {
        this.finish(id, (call) => call.reject(new Error("the kernel did not answer")));
      }, GIVE_UP_MS);
      const call = { resolve: resolve as (result: unknown) => void, reject, patience, end };
      this.pending.set(id, call);
      this.tell("call", { id, name, arguments: args });
    });
  }

  private tell(kind: string, content: Record<string, unknown> = {}, revive = true): void {
    try {
      this.model.send({ kind, page: this.page, ...content });
      if (revive && kind === "hello") this.gone = false;
    } catch {
      // The kernel was restarted or shut down, and its line with it.
      this.end();
    }
  }

  private receive(message: { kind?: string }, buffers: (DataView | ArrayBuffer)[]): void {
    const [buffer] = buffers;
    if (!buffer) return;
    const content = JSON.parse(new TextDecoder().decode(buffer));
    if (message.kind === "update") {
      const update = content as Update;
      clearInterval(this.hello);
      this.gone = false;
      this.store.apply(update);
      this.acknowledge(update.number);
    } else if (message.kind === "problem") {
      this.store.problem = (content as Problem).text;
      this.store.changed();
    } else if (message.kind === "reply") {
      const reply = content as CallReply;
      this.finish(reply.id, (call) => {
        if (reply.error === undefined) call.resolve(reply.result);
        else call.reject(new Error(reply.error));
      });
    }
  }

  private finish(id: string, how: (call: Pending) => void): void {
    const call = this.pending.get(id);
    if (!call) return; // another page's
    this.pending.delete(id);
    this.settle(call);
    how(call);
    if (this.pending.size === 0 && this.late) {
      this.late = 0;
      this.store.changed();
    }
  }

  private settle(call: Pending): void {
    clearTimeout(call.patience);
    clearTimeout(call.end);
  }
}
