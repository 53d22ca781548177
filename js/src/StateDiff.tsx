// What changed between two states.
import { type Change, diff } from "./diff";
import { isSmall, Tree } from "./Tree";
import type { Node } from "./wire";

const SIGNS = { added: "+", removed: "−", changed: "~" } as const;

/** What changed; with `whole` also all that is there now. */
export function StateDiff({
  before,
  after,
  whole = false,
}: {
  before: Node;
  after: Node;
  whole?: boolean;
}) {
  const changes = diff(before, after);
  return (
    <>
      {changes.map((change) => (
        <ChangeLine key={change.path} change={change} />
      ))}
      {changes.length === 0 && <span class="sf-dim">unchanged</span>}
      {whole && <Tree node={after} open={!changes.length && isSmall(after)} />}
    </>
  );
}

function ChangeLine({ change }: { change: Change }) {
  return (
    <div class={`sf-change sf-${change.kind}`}>
      <span class="sf-sign" role="img" aria-label={change.kind}>
        {SIGNS[change.kind]}
      </span>
      <span class="sf-key">{change.path}: </span>
      {change.before !== undefined && <del>{change.before}</del>}
      {change.kind === "changed" && " → "}
      {change.after !== undefined && <ins>{change.after}</ins>}
    </div>
  );
}
