// The dashboard, and the small views made of its parts.
import { useRef } from "preact/hooks";
import { GraphPane } from "./GraphPane";
import { HeaderBar } from "./HeaderBar";
import { type Session, SessionContext, useTrait } from "./hooks";
import { Invocations } from "./Invocations";
import { Outgoing } from "./Outgoing";
import { Send } from "./Send";
import { StatePane, WatchPane } from "./StatePane";
import { Timers } from "./Timers";

const PANES = [
  ["invocations", "Invocations", Invocations],
  ["state", "State", StatePane],
  ["outgoing", "Outgoing", Outgoing],
  ["graph", "Graph", GraphPane],
  ["timers", "Timers", Timers],
  ["send", "Send", Send],
] as const;

export function App({ session }: { session: Session }) {
  const { model } = session;
  const kind = model.get("kind") as string;
  return (
    <SessionContext.Provider value={session}>
      <section
        class={`sf-root sf-kind-${kind}`}
        aria-label={`StateFun ${kind}`}
        data-lm-suppress-shortcuts="true"
        onKeyDown={keepFromHost}
      >
        {kind === "watch" && (
          <WatchPane typename={model.get("typename") as string} id={model.get("id") as string} />
        )}
        {kind === "graph" && <GraphPane />}
        {kind === "table" && <Invocations />}
        {kind === "dashboard" && <Dashboard />}
      </section>
    </SessionContext.Provider>
  );
}

/** The host's shortcuts are single letters: they must not act on what is typed here. */
function keepFromHost(event: KeyboardEvent): void {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
}

function Dashboard() {
  const [pane, setPane] = useTrait<string>("pane");
  const tabs = useRef<HTMLDivElement>(null);
  const name = useRef(`sf-${crypto.randomUUID()}`).current;
  const current = PANES.find(([key]) => key === pane) ?? PANES[0];
  const [, , Pane] = current;
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const index = (PANES.indexOf(current) + step + PANES.length) % PANES.length;
    setPane(PANES[index]?.[0] ?? "invocations");
    (tabs.current?.children[index] as HTMLElement | undefined)?.focus();
  };
  return (
    <>
      <HeaderBar />
      <div class="sf-tabs" role="tablist" aria-label="Panes" ref={tabs} onKeyDown={move}>
        {PANES.map(([key, label]) => (
          <button
            key={key}
            type="button"
            role="tab"
            id={`${name}-${key}`}
            aria-selected={key === current[0]}
            aria-controls={`${name}-panel`}
            tabIndex={key === current[0] ? 0 : -1}
            onClick={() => setPane(key)}
          >
            {label}
          </button>
        ))}
      </div>
      <div
        class="sf-panel"
        role="tabpanel"
        id={`${name}-panel`}
        aria-labelledby={`${name}-${current[0]}`}
      >
        <Pane />
      </div>
    </>
  );
}
