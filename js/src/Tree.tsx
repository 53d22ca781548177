// A value as a tree that opens; everything in it is text.
import type { Node } from "./wire";

export function Tree({ node, name, open = true }: { node: Node; name?: string; open?: boolean }) {
  if (Array.isArray(node) && (node[0] === "list" || node[0] === "map")) {
    return <Branch node={node} open={open} {...(name === undefined ? {} : { name })} />;
  }
  return (
    <div class="sf-leaf">
      {name !== undefined && <span class="sf-key">{name}: </span>}
      <Leaf node={node} />
    </div>
  );
}

function Branch({
  node,
  name,
  open,
}: {
  node: ["list", Node[], number] | ["map", [string, Node][], number];
  name?: string;
  open: boolean;
}) {
  const [kind, items, total] = node;
  const entries: [string, Node][] =
    kind === "list" ? items.map((item, index) => [String(index), item]) : items;
  const what = kind === "list" ? `[${total}]` : `{${total}}`;
  return (
    <details open={open} class="sf-branch">
      <summary>
        {name !== undefined && <span class="sf-key">{name}: </span>}
        <span class="sf-dim">{what}</span>
      </summary>
      {entries.map(([key, value]) => (
        <Tree key={key} name={key} node={value} open={entries.length < 20} />
      ))}
      {total > items.length && <div class="sf-dim">… {total - items.length} more, cut</div>}
    </details>
  );
}

export function Leaf({ node }: { node: Node }) {
  if (node === null) return <span class="sf-dim">null</span>;
  if (typeof node === "string") return <span class="sf-string">{node === "" ? '""' : node}</span>;
  if (!Array.isArray(node)) return <span class="sf-number">{String(node)}</span>;
  switch (node[0]) {
    case "text":
      return (
        <span class="sf-string">
          {node[1]}
          <Cut>{`${node[2].toLocaleString("en")} characters in all`}</Cut>
        </span>
      );
    case "bytes":
      return (
        <span class="sf-number">
          {node[1]}
          <Cut>{`${node[2].toLocaleString("en")} bytes`}</Cut>
        </span>
      );
    case "number":
      return <span class="sf-number">{node[1]}</span>;
    case "object":
      return <span>{node[1]}</span>;
    default:
      return <Cut>more levels, cut</Cut>;
  }
}

function Cut({ children }: { children: string }) {
  return <span class="sf-dim"> … {children}</span>;
}

/** Was anything left out of this tree? */
export function isCut(node: Node): boolean {
  if (!Array.isArray(node)) return false;
  switch (node[0]) {
    case "list":
      return node[1].length < node[2] || node[1].some(isCut);
    case "map":
      return node[1].length < node[2] || node[1].some(([, value]) => isCut(value));
    case "text":
      return node[1].length < node[2];
    case "bytes":
      return node[1].length / 2 < node[2];
    default:
      return node[0] === "deep";
  }
}

/** Small values are shown open: most people keep small values. */
export function isSmall(node: Node): boolean {
  return Array.isArray(node) && (node[0] === "map" || node[0] === "list") && node[1].length <= 5;
}
