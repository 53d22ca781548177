// One causal chain over time: a bar for each invocation, below the one that caused it.
import { chain } from "./chain";
import { counted, isOpenError, milliseconds } from "./format";
import { useStore } from "./hooks";
import { useNames } from "./names";

export function Waterfall({ seq, select }: { seq: number; select: (seq: number) => void }) {
  const links = chain(useStore(), seq);
  const names = useNames();
  if (links.length === 0) return null;
  const begin = Math.min(...links.map(({ row }) => row.time));
  const end = Math.max(...links.map(({ row }) => row.time + row.ms));
  const span = Math.max(end - begin, 0.001);
  return (
    <div class="sf-waterfall">
      <div class="sf-dim">
        {counted(links.length, "invocation")} in {milliseconds(span)} ms
      </div>
      {links.map(({ row, depth }) => {
        const left = ((row.time - begin) / span) * 100;
        const width = (row.ms / span) * 100;
        const failed = isOpenError(row);
        return (
          <button
            key={row.seq}
            type="button"
            class="sf-chain"
            aria-current={row.seq === seq}
            onClick={() => select(row.seq)}
          >
            <span class="sf-chain-name" style={{ paddingLeft: `${Math.min(depth, 12) * 10}px` }}>
              {failed && "✗ "}
              {row.status === "rolled back" && "↶ "}
              <bdi>{names.address(row.typename, row.id)}</bdi>
            </span>
            <span class="sf-chain-track" aria-hidden="true">
              <span
                class={failed ? "sf-chain-bar sf-failed" : "sf-chain-bar"}
                style={{ left: `${Math.min(left, 99)}%`, width: `max(2px, ${width}%)` }}
              />
            </span>
            <span class="sf-dim">{milliseconds(row.ms)} ms</span>
          </button>
        );
      })}
    </div>
  );
}
