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
import type { Connection, Model } from "./connection";
import type { Store } from "./store";

export interface Session {
  connection: Connection;
  store: Store;
  model: Model;
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
  useEffect(() => store.subscribe(() => redraw(undefined)), [store]);
  return store;
}

/** A trait of the widget: the notebook sees what is set, the view sees what the notebook sets. */
export function useTrait<T>(name: string): [T, (value: T) => void] {
  const { model } = useSession();
  const [value, setValue] = useState(() => model.get(name) as T);
  useEffect(() => {
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

export interface Answer<T> {
  value: T | undefined;
  error: string;
  reload: () => void;
}

/** What the kernel answers to a call; asked again when `when` changes, at most once in `everyMs`. */
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
  const asked = useRef(0);
  const [again, reload] = useReducer((count: number) => count + 1, 0);
  const question = JSON.stringify(args);
  const lastQuestion = useRef("");
  useEffect(() => {
    let current = true;
    const isNew = lastQuestion.current !== `${question}#${again}`;
    lastQuestion.current = `${question}#${again}`;
    const wait = isNew ? 0 : Math.max(0, asked.current + everyMs - Date.now());
    const timer = setTimeout(async () => {
      asked.current = Date.now();
      try {
        const value = await connection.call<T>(name, JSON.parse(question));
        if (current) setAnswer({ value, error: "" });
      } catch (error) {
        if (current) setAnswer({ value: undefined, error: message(error) });
      }
    }, wait);
    return () => {
      current = false;
      // A question under way stays asked: its answer is dropped, and the next is soon due.
      clearTimeout(timer);
    };
  }, [connection, name, question, when, everyMs, again]);
  return { ...answer, reload: () => reload(undefined) };
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
    overscan: 12,
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

/** Draw again after so many milliseconds, for countdowns. */
export function useTick(ms: number): void {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const timer = setInterval(() => redraw(undefined), ms);
    return () => clearInterval(timer);
  }, [ms]);
}
