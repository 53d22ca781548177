// Two parts beside or above one another, and a divider that is moved; the browser remembers it.
import { useRef } from "preact/hooks";
import { useRemembered } from "./hooks";

const STEP = 5;
const [LEAST, MOST] = [20, 80];

export function Split({
  name,
  side,
  children,
}: {
  name: string;
  side: preact.ComponentChild;
  children: preact.ComponentChildren;
}) {
  const [share, setShare] = useRemembered(`split.${name}`, 60);
  const box = useRef<HTMLDivElement>(null);
  const set = (value: number) => setShare(Math.round(Math.max(LEAST, Math.min(MOST, value))));
  const drag = (event: PointerEvent) => {
    const divider = event.currentTarget as HTMLElement;
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const area = box.current?.getBoundingClientRect();
    if (!area) return;
    const beside = divider.offsetHeight > divider.offsetWidth;
    set(
      beside
        ? ((event.clientX - area.left) / area.width) * 100
        : ((event.clientY - area.top) / area.height) * 100,
    );
  };
  const keys: Record<string, number> = {
    ArrowLeft: share - STEP,
    ArrowUp: share - STEP,
    ArrowRight: share + STEP,
    ArrowDown: share + STEP,
    Home: LEAST,
    End: MOST,
  };
  return (
    <div class="sf-split" ref={box} style={{ "--sf-share": String(share) }}>
      <div class="sf-main">{children}</div>
      {side && (
        <>
          <div
            class="sf-divider"
            role="separator"
            aria-label="Divider between the list and the open invocation"
            aria-valuenow={share}
            aria-valuemin={LEAST}
            aria-valuemax={MOST}
            tabIndex={0}
            onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
            onPointerMove={drag}
            onKeyDown={(event) => {
              const to = keys[event.key];
              if (to === undefined) return;
              event.preventDefault();
              set(to);
            }}
          />
          <div class="sf-side">{side}</div>
        </>
      )}
    </div>
  );
}
