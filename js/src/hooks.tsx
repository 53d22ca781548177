// What the components share: the store, traits of the model, and a list that draws what is seen.
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from "@tanstack/virtual-core";
import { createContext, type RefObject } from "preact";
import {
  useCallback,
  useContext,
  useEffect,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "preact/hooks";
import type { Abilities, Connection, Model } from "./connection";
import type { Filter } from "./filter";
import type { Selection } from "./selection";
import type { Store } from "./store";
import { decodeHistoryEntry, type HistoryEntry, type Row, type WireHistoryEntry } from "./wire";

export interface Session {
  connection: Connection;
  store: Store;
  model: Model;
  selection: Selection;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("a view outside a session");
  return session;
}

/** Draw again whenever the store has changed. */
export function useStore(): Store {
  const { store } = useSession();
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  // Before the page is painted: of a report there is one update only, and it comes at once.
  useLayoutEffect(() => store.subscribe(() => redraw(undefined)), [store]);
  return store;
}

/** What can be done in this view, for all controls alike. */
export function useCan(): Abilities {
  const { connection } = useSession();
  useStore();
  return connection.can;
}

/** A trait of the widget: the notebook sees what is set, the view sees what the notebook sets. */
export function useTrait<T>(name: string): [T, (value: T) => void] {
  const { model } = useSession();
  const [value, setValue] = useState(() => model.get(name) as T);
  useLayoutEffect(() => {
    const changed = () => setValue(model.get(name) as T);
    model.on(`change:${name}`, changed);
    return () => model.off(`change:${name}`, changed);
  }, [model, name]);
  const set = useCallback(
    (next: T) => {
      model.set(name, next);
      model.save_changes();
      setValue(next);
    },
    [model, name],
  );
  return [value, set];
}

/** Open an invocation beside whatever pane is shown. */
export function useOpenInvocation(): (seq: number) => void {
  const [, setSelected] = useTrait<number>("selected");
  return setSelected;
}

export interface Filtered {
  text: string;
  set: (text: string) => void;
  filter: Filter;
  rows: Row[];
  selection: Selection;
}

/** The rows that the filter of this view leaves. */
export function useFilter(): Filtered {
  const { selection } = useSession();
  useStore();
  const [text, set] = useTrait<string>("filter");
  const rows = selection.of(text);
  useAging(selection.filter.timed);
  return { text, set, filter: selection.filter, rows, selection };
}

/** Draw again each second, while what matches changes with time. */
function useAging(timed: boolean): void {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    if (!timed) return;
    const timer = setInterval(() => redraw(undefined), 1_000);
    return () => clearInterval(timer);
  }, [timed]);
}

/** Something that this browser remembers, such as a column's width. */
export function useRemembered<T>(name: string, initial: T): [T, (value: T) => void] {
  const key = `statefun_nb.${name}`;
  const [value, setValue] = useState<T>(() => {
    try {
      return JSON.parse(localStorage.getItem(key) ?? "null") ?? initial;
    } catch {
      return initial; // a page without storage, or somebody else's value
    }
  });
  const set = useCallback(
    (next: T) => {
      setValue(next);
      try {
        localStorage.setItem(key, JSON.stringify(next));
      } catch {
        // It is remembered as long as the page is open.
      }
    },
    [key],
  );
  return [value, set];
}

/** Something to do by the kernel, and what went wrong with it. */
export function useAct(): [
  act: <T>(name: string, args?: Record<string, unknown>) => Promise<T | undefined>,
  problem: string,
  clear: () => void,
] {
  const { connection } = useSession();
  const [problem, setProblem] = useState("");
  const act = useCallback(
    async <T,>(name: string, args: Record<string, unknown> = {}) => {
      setProblem("");
      try {
        return (await connection.call<T>(name, args)) ?? (null as T);
      } catch (reason) {
        setProblem(message(reason));
        return undefined;
      }
    },
    [connection],
  );
  return [act, problem, useCallback(() => setProblem(""), [])];
}

export interface Answer<T> {
  value: T | undefined;
  error: string;
  reload: () => void;
}

/**
 * What the kernel answers to a call; asked again when `when` changes, at most once in `everyMs`. When
 * the kernel has ended, what was answered stays; what was not is not known any more.
 */
export function useAnswer<T>(
  name: string,
  args: Record<string, unknown>,
  when: unknown,
  everyMs = 1_000,
): Answer<T> {
  const { connection } = useSession();
  const [answer, setAnswer] = useState<{ value: T | undefined; error: string }>({
    value: undefined,
    error: "",
  });
  const question = JSON.stringify(args);
  const now = useRef({
    question,
    asked: 0,
    timer: undefined as number | undefined,
    answered: { question: "", value: undefined as T | undefined },
  }).current;
  now.question = question;
  const ask = useCallback(async () => {
    now.timer = undefined;
    now.asked = Date.now();
    const mine = now.question;
    let found: { value: T | undefined; error: string };
    try {
      found = { value: await connection.call<T>(name, JSON.parse(mine)), error: "" };
      now.answered = { question: mine, value: found.value };
    } catch (error) {
      const { question, value } = now.answered;
      if (!connection.gone) found = { value: undefined, error: message(error) };
      else if (question === mine && value !== undefined) found = { value, error: "" };
      else found = { value: undefined, error: `${message(error)}: this is not known any more` };
    }
    if (mine === now.question) setAnswer(found); // else another question was asked meanwhile
  }, [connection, name]);
  useEffect(() => {
    ask();
  }, [ask, question, connection.gone]);
  useEffect(() => {
    const wait = Math.max(0, now.asked + everyMs - Date.now());
    now.timer ??= setTimeout(ask, wait) as unknown as number;
  }, [ask, when, everyMs]);
  useEffect(
    () => () => {
      clearTimeout(now.timer);
      now.question = "unmounted";
    },
    [],
  );
  return { ...answer, reload: ask };
}

/** The last invocations of one address, newest first; asked again like any other answer. */
export function useHistory(
  typename: string,
  id: string,
  when: unknown,
  everyMs?: number,
): Answer<HistoryEntry[]> {
  const answer = useAnswer<WireHistoryEntry[]>("history", { typename, id }, when, everyMs);
  const value = useMemo(() => answer.value?.map(decodeHistoryEntry), [answer.value]);
  return { ...answer, value };
}

export function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The rows of a list that can be seen. */
export function useVirtual(
  scroller: RefObject<HTMLElement | null>,
  count: number,
  height: number,
): { items: VirtualItem[]; total: number; virtualizer: Virtualizer<HTMLElement, HTMLElement> } {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 8,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => redraw(undefined),
  };
  const virtualizer = useMemo(() => new Virtualizer<HTMLElement, HTMLElement>(options), []);
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  return { items: virtualizer.getVirtualItems(), total: virtualizer.getTotalSize(), virtualizer };
}

/** The width of an element, as it changes. */
export function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(10_000);
  useLayoutEffect(() => {
    if (!element.current) return;
    setWidth(element.current.clientWidth);
    const observer = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

/** Draw again after so many milliseconds, for countdowns. */
export function useTick(ms: number): void {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const timer = setInterval(() => redraw(undefined), ms);
    return () => clearInterval(timer);
  }, [ms]);
}
