// One address for use between cells: `s.watch(typename, id)`.
import { clock, isOpenError, outcome } from "./format";
import { useAnswer, useHistory, useStore } from "./hooks";
import { useNames } from "./names";
import { TimeLeft } from "./TimeLeft";
import { isSmall, Tree } from "./Tree";
import type { StatePage } from "./wire";

const MOST = 200;

export function WatchPane({ typename, id }: { typename: string; id: string }) {
  const store = useStore();
  const names = useNames();
  const when = store.header?.traced;
  const state = useAnswer<StatePage>("state", { typename, search: id, limit: MOST }, when, 500);
  const history = useHistory(typename, id, when, 500);
  const row = state.value?.rows.find((each) => each.id === id);
  return (
    <div class="sf-pane sf-watch">
      <h4>
        <bdi>{names.address(typename, id)}</bdi>
      </h4>
      {(state.error || history.error) && (
        <div class="sf-problem">{state.error || history.error}</div>
      )}
      <div class="sf-values">
        {row?.values.map((value) => (
          <div class="sf-value" key={value.name}>
            <span class="sf-key">{value.name}</span>
            <div class="sf-grow">
              {value.present ? (
                <Tree node={value.value} open={isSmall(value.value)} />
              ) : (
                <span class="sf-dim">none</span>
              )}
            </div>
            {value.expires > 0 && <TimeLeft until={value.expires} />}
          </div>
        ))}
        {state.value && !row && <span class="sf-dim">no message yet</span>}
      </div>
      <ol class="sf-history" aria-label="Last invocations, newest first">
        {history.value?.slice(0, 10).map(({ row: each, by }, index) => (
          <li key={each.seq || `${by} ${index}`}>
            <span class="sf-dim">{clock(each.time)}</span>{" "}
            <bdi>{by ? `by hand (${by})` : each.message}</bdi>
            <span class="sf-dim"> {each.change}</span>
            {each.status !== "ok" && (
              <span class={isOpenError(each) ? "sf-alarm" : "sf-dim"}> {outcome(each)}</span>
            )}
          </li>
        ))}
      </ol>
    </div>
  );
}
