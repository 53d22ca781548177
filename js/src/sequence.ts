// The sequence diagram of a chain: lanes are addresses, arrows are messages; as SVG and as Mermaid.
import type { Link } from "./chain";
import type { Names } from "./names";
import type { Row } from "./wire";

interface Arrow {
  from: number;
  to: number;
  text: string;
  failed: boolean;
}

export interface Sequence {
  lanes: string[];
  arrows: Arrow[];
}

const OUTSIDE = "ingress";
/** A picture for a slide has no more. */
const [MOST_LANES, MOST_ARROWS] = [12, 80];

/** Who sent what to whom, in the order in which it was served. */
export function sequence(links: Link[], names: Names): Sequence {
  const lanes: string[] = [];
  const lane = (name: string) => {
    if (!lanes.includes(name)) lanes.push(name);
    return lanes.indexOf(name);
  };
  const arrows: Arrow[] = [];
  const rows = links.map(({ row }) => row).sort((a, b) => a.seq - b.seq);
  for (const row of rows) {
    const from = lane(row.caller ? names.text(row.caller) : OUTSIDE);
    const to = lane(names.address(row.typename, row.id));
    arrows.push({ from, to, text: row.message, failed: row.status === "error" && !row.repaired });
    for (const { kind, where, topic, text } of row.out) {
      if (kind !== "egress") continue;
      arrows.push({ from: to, to: lane(egressName(where, topic, names)), text, failed: false });
    }
  }
  const shown = arrows.filter(({ from, to }) => from < MOST_LANES && to < MOST_LANES);
  return { lanes: lanes.slice(0, MOST_LANES), arrows: shown.slice(0, MOST_ARROWS) };
}

function egressName(where: string, topic: Row["id"], names: Names): string {
  return topic ? `${names.type(where)} ${topic}` : names.type(where);
}

const [WIDE, TALL, TOP, MARGIN] = [170, 34, 54, 20];
const LETTERS = 24;

/** A picture complete in itself, on a ground of its own: for slides. */
export function sequenceSvg({ lanes, arrows }: Sequence): string {
  const width = Math.max(1, lanes.length) * WIDE + MARGIN * 2;
  const height = TOP + (arrows.length + 1) * TALL;
  const x = (lane: number) => MARGIN + lane * WIDE + WIDE / 2;
  const heads = lanes.map(
    (name, lane) =>
      `<path d="M${x(lane)} ${TOP - 16}V${height - 10}" stroke="#c8ced6" stroke-dasharray="4 4"/>` +
      `<rect x="${x(lane) - 76}" y="12" width="152" height="28" rx="5" fill="#eef4fb" stroke="#5b86b5"/>` +
      `<text x="${x(lane)}" y="31">${escaped(cut(name, LETTERS))}</text>`,
  );
  const lines = arrows.map(({ from, to, text, failed }, index) => {
    const y = TOP + index * TALL + 20;
    const [a, b] = [x(from), x(to)];
    const colour = failed ? "#a4161a" : "#57606a";
    const path =
      from === to
        ? `M${a} ${y - 6}C${a + 44} ${y - 8} ${a + 44} ${y + 12} ${a + 3} ${y + 8}`
        : `M${a} ${y}H${b > a ? b - 2 : b + 2}`;
    const words = `${failed ? "✗ " : ""}${cut(text, LETTERS + 4)}`;
    const middle = from === to ? a + 50 : (a + b) / 2;
    const anchor = from === to ? "start" : "middle";
    return (
      `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.5" marker-end="url(#s)"/>` +
      `<text class="m" x="${middle}" y="${from === to ? y + 6 : y - 5}" text-anchor="${anchor}" fill="${colour}">${escaped(words)}</text>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    "<style>text{font:12px system-ui,sans-serif;text-anchor:middle;fill:#1f2328}" +
    ".m{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:4px}</style>" +
    '<defs><marker id="s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" ' +
    'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="#57606a"/></marker></defs>' +
    `<rect width="${width}" height="${height}" fill="#fff"/>${heads.join("")}${lines.join("")}</svg>`
  );
}

/** Text for a page that draws Mermaid's diagrams. */
export function sequenceMermaid({ lanes, arrows }: Sequence): string {
  const lines = ["sequenceDiagram"];
  lanes.forEach((name, lane) => {
    lines.push(`    participant p${lane} as ${plain(name)}`);
  });
  for (const { from, to, text, failed } of arrows) {
    lines.push(`    p${from}${failed ? "-x" : "->>"}p${to}: ${plain(text) || "·"}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Nothing that Mermaid takes for its own. */
function plain(text: string): string {
  return cut(text.replaceAll(/[\s;#<>]+/g, " ").trim(), 60);
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function escaped(text: string): string {
  return (
    text
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has no such characters
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "�")
  );
}
