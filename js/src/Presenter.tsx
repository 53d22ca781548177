// For a room: larger type, one chain lit, and slow motion, all by the keyboard.
import { createContext, type RefObject } from "preact";
import { useContext, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { chain } from "./chain";
import { useAct, useRemembered, useStore, useTrait } from "./hooks";

export const PresentingContext = createContext(false);

/** How much larger than usual the type of an element is, as `theme.css` says. */
export function useMagnification(element: RefObject<HTMLElement | null>): number {
  const presenting = useContext(PresentingContext);
  const [magnification, setMagnification] = useState(1);
  useLayoutEffect(() => {
    if (!element.current) return;
    const found = getComputedStyle(element.current).getPropertyValue("--sf-magnification");
    setMagnification(Number(found) || 1);
  }, [presenting]);
  return magnification;
}

/** The invocations to be lit: those of the chain of the open one, while presenting; null: all. */
export function useLit(): Set<number> | null {
  const presenting = useContext(PresentingContext);
  const store = useStore();
  const [selected] = useTrait<number>("selected");
  return useMemo(
    () =>
      presenting && selected ? new Set(chain(store, selected).map(({ row }) => row.seq)) : null,
    [presenting, selected, store.version],
  );
}

const SPEEDS = [0.5, 1, 2, 5, 10];

/** Serves so many invocations a second, and opens each. */
export function Presenter({ end }: { end: () => void }) {
  const { header } = useStore();
  const [, setSelected] = useTrait<number>("selected");
  const [act, problem] = useAct();
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useRemembered("speed", 1);
  const bar = useRef<HTMLDivElement>(null);
  const underway = useRef<Promise<unknown>>(Promise.resolve());
  const step = async () => {
    const asked = act<number>("step");
    underway.current = asked;
    const seq = await asked;
    if (seq) setSelected(seq);
    return seq !== undefined;
  };
  useEffect(() => bar.current?.focus(), []);
  useEffect(() => {
    if (!playing) return;
    let timer: ReturnType<typeof setTimeout>;
    let over = false;
    const next = async () => {
      const going = await step();
      if (over) return;
      if (going) timer = setTimeout(next, 1_000 / speed);
      else setPlaying(false);
    };
    timer = setTimeout(next, 0);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [playing, speed]);
  const faster = (by: number) => {
    const at = SPEEDS.indexOf(speed);
    setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at + by))] ?? 1);
  };
  const keys: Record<string, () => void> = {
    " ": () => setPlaying(!playing),
    ArrowRight: () => void step(),
    "+": () => faster(1),
    "-": () => faster(-1),
    r: () => {
      setPlaying(false);
      void underway.current.then(() => act("resume")); // a step pauses first
    },
    Escape: end,
  };
  return (
    <div
      class="sf-bar sf-presenter"
      ref={bar}
      role="toolbar"
      aria-label="Presenter: space plays, right steps, plus and minus set the speed, escape ends"
      tabIndex={0}
      onKeyDown={(event) => {
        const action = event.target === event.currentTarget ? keys[event.key] : undefined;
        if (!action) return;
        event.preventDefault();
        action();
      }}
    >
      <button type="button" aria-pressed={playing} onClick={() => setPlaying(!playing)}>
        {playing ? "❚❚ Hold" : "▶ Slow motion"}
      </button>
      <button type="button" onClick={() => void step()}>
        Next →
      </button>
      <button type="button" aria-label="Slower" onClick={() => faster(-1)}>
        −
      </button>
      <span role="status">{speed} a second</span>
      <button type="button" aria-label="Faster" onClick={() => faster(1)}>
        +
      </button>
      {header?.state === "paused" && (
        <button type="button" onClick={keys.r}>
          ▶ Full speed (r)
        </button>
      )}
      <span class="sf-fill" />
      {problem && (
        <span class="sf-problem" role="alert">
          {problem}
        </span>
      )}
      <button type="button" onClick={end}>
        ✕ End
      </button>
    </div>
  );
}
