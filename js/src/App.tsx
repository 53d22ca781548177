// The dashboard, and the small views made of its parts.
import { useContext, useRef, useState } from "preact/hooks";
import { Detail } from "./Detail";
import { FilterBar } from "./FilterBar";
import { FunctionsPane } from "./FunctionsPane";
import { count } from "./format";
import { GraphPane } from "./GraphPane";
import { HeaderBar } from "./HeaderBar";
import { type Session, SessionContext, useStore, useTrait } from "./hooks";
import { Invocations } from "./Invocations";
import { Outgoing } from "./Outgoing";
import { Presenter, PresentingContext } from "./Presenter";
import { uniqueName } from "./page";
import { Send } from "./Send";
import { Split } from "./Split";
import { Standing } from "./Standing";
import { StatePane } from "./StatePane";
import type { Store } from "./store";
import { TimelinePane } from "./TimelinePane";
import { Timers } from "./Timers";
import { Waiting } from "./Waiting";
import { WatchPane } from "./WatchPane";

const PANES = [
  ["invocations", "Invocations", Invocations],
  ["waiting", "Waiting", Waiting],
  ["state", "State", StatePane],
  ["outgoing", "Outgoing", Outgoing],
  ["timeline", "Timeline", TimelinePane],
  ["graph", "Graph", GraphPane],
  ["functions", "Functions", FunctionsPane],
  ["timers", "Timers", Timers],
  ["send", "Send", Send],
] as const;

/** What a tab counts, beside its name. */
function tally(key: string, { header }: Store): number {
  if (key === "waiting") return header ? header.parked : 0;
  return key === "timers" ? (header?.delayed ?? 0) : 0;
}

/** The tally in words: a screen reader has them as the description of the tab. */
function describe(key: string, value: number): string | undefined {
  if (value === 0) return undefined;
  return `${value.toLocaleString("en")} ${key === "timers" ? "pending" : "parked"}`;
}

export function App({ session }: { session: Session }) {
  const { model } = session;
  const kind = model.get("kind") as string;
  const [presenting, setPresenting] = useState(false);
  return (
    <SessionContext.Provider value={session}>
      <section
        class={`sf-root sf-kind-${kind}${presenting ? " sf-presenting" : ""}`}
        aria-label={`StateFun ${kind}`}
        data-lm-suppress-shortcuts="true"
        onKeyDown={keepFromHost}
      >
        {kind === "dashboard" && (
          <PresentingContext.Provider value={presenting}>
            <Dashboard present={setPresenting} />
          </PresentingContext.Provider>
        )}
        {kind !== "dashboard" && <Standing />}
        {kind === "watch" && (
          <WatchPane typename={model.get("typename") as string} id={model.get("id") as string} />
        )}
        {kind === "graph" && <GraphPane />}
        {kind === "table" && <Table />}
      </section>
    </SessionContext.Provider>
  );
}

/** The host's shortcuts are single letters: they must not act on what is typed here. */
function keepFromHost(event: KeyboardEvent): void {
  const sends = event.key === "Enter"; // Ctrl-Enter would run the cell
  if (sends || (!event.ctrlKey && !event.metaKey && !event.altKey)) event.stopPropagation();
}

function Table() {
  return (
    <div class="sf-panel sf-table-panel">
      <FilterBar />
      <WithDetail>
        <Invocations />
      </WithDetail>
    </div>
  );
}

/** Whatever is shown, and beside it the invocation that is open. */
function WithDetail({ children }: { children: preact.ComponentChildren }) {
  const [selected, setSelected] = useTrait<number>("selected");
  return (
    <Split name="detail" side={selected !== 0 && <Detail seq={selected} select={setSelected} />}>
      {children}
    </Split>
  );
}

function Dashboard({ present }: { present: (yes: boolean) => void }) {
  const presenting = useContext(PresentingContext);
  const [pane, setPane] = useTrait<string>("pane");
  const store = useStore();
  const tabs = useRef<HTMLDivElement>(null);
  const name = useRef(uniqueName()).current;
  const current = PANES.find(([key]) => key === pane) ?? PANES[0];
  const [, , Pane] = current;
  const move = (event: KeyboardEvent) => {
    const last = PANES.length - 1;
    const at = PANES.indexOf(current);
    const places: Record<string, number> = {
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last,
    };
    const index = places[event.key];
    if (index === undefined) return;
    event.preventDefault();
    setPane(PANES[index]?.[0] ?? "invocations");
    (tabs.current?.children[index] as HTMLElement | undefined)?.focus();
  };
  return (
    <>
      <HeaderBar present={() => present(!presenting)} presenting={presenting} />
      {presenting && <Presenter end={() => present(false)} />}
      <Standing />
      <div class="sf-tabs" role="tablist" aria-label="Panes" ref={tabs} onKeyDown={move}>
        {PANES.map(([key, label]) => (
          <button
            key={key}
            type="button"
            role="tab"
            id={`${name}-${key}`}
            aria-selected={key === current[0]}
            aria-controls={`${name}-panel`}
            title={describe(key, tally(key, store))}
            tabIndex={key === current[0] ? 0 : -1}
            onClick={() => setPane(key)}
          >
            {label}
            <Tally value={tally(key, store)} />
          </button>
        ))}
      </div>
      <FilterBar />
      <div
        class="sf-panel"
        role="tabpanel"
        id={`${name}-panel`}
        aria-labelledby={`${name}-${current[0]}`}
      >
        <WithDetail>
          <Pane />
        </WithDetail>
      </div>
    </>
  );
}

function Tally({ value }: { value: number }) {
  if (value === 0) return null;
  return (
    <span class="sf-tally" aria-hidden="true">
      {count(value)}
    </span>
  );
}
