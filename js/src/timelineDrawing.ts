// The timeline on a canvas: what is seen of it, sixty times a second.
import { clock, duration } from "./format";
import { type Bar, type Timeline, ticks } from "./timeline";

export const LANE = 22;
export const HEAD = 24;
const BAR = 12;
const LEAST_BAR = 2;
const TICK = 110;
/** Messages are seen through, where no chain is lit: they cross one another. */
const PALE = 0.45;

/** The part of the axis that is seen, and where on the canvas. */
export interface View {
  from: number;
  to: number;
  left: number;
  width: number;
  height: number;
  /** How far it is scrolled down. */
  top: number;
}

export interface Marks {
  selected: number;
  chained: Set<number> | null;
  hovered: number;
  brush: [number, number] | null;
}

export function draw(
  canvas: HTMLCanvasElement,
  data: Timeline,
  labels: string[],
  view: View,
  marks: Marks,
): void {
  const { width, height } = view;
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  if (!context) return;
  new Drawing(context, colours(canvas), data, labels, view, marks, ratio).all();
}

type Colours = Record<
  "fg" | "dim" | "line" | "soft" | "bg" | "good" | "alarm" | "wait" | "accent",
  string
>;

const KEPT_MS = 1_000;
const palettes = new WeakMap<HTMLCanvasElement, { made: number; colours: Colours }>();

/** The palette of the sheet, as a canvas needs it: read once a second, for the theme may change. */
function colours(canvas: HTMLCanvasElement): Colours {
  const known = palettes.get(canvas);
  if (known && performance.now() - known.made < KEPT_MS) return known.colours;
  const probe = document.createElement("span");
  canvas.after(probe);
  const read = (name: string) => {
    probe.style.color = `var(--sf-${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["fg", "dim", "line", "soft", "bg", "good", "alarm", "wait", "accent"] as const;
  const found = Object.fromEntries(names.map((name) => [name, read(name)])) as Colours;
  probe.remove();
  palettes.set(canvas, { made: performance.now(), colours: found });
  return found;
}

class Drawing {
  private readonly first: number;
  private readonly last: number;

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly colours: Colours,
    private readonly data: Timeline,
    private readonly labels: string[],
    private readonly view: View,
    private readonly marks: Marks,
    ratio: number,
  ) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.first = Math.floor(view.top / LANE);
    this.last = Math.ceil((view.top + view.height - HEAD) / LANE);
  }

  all(): void {
    const { context, view } = this;
    context.clearRect(0, 0, view.width, view.height);
    this.lanes();
    context.save();
    context.beginPath();
    context.rect(view.left, HEAD, view.width - view.left, view.height - HEAD);
    context.clip();
    this.breaks();
    this.jumps();
    this.waits();
    this.arrows();
    this.bars();
    this.pending();
    this.brush();
    context.restore();
    this.axis();
  }

  private x(time: number): number {
    const { from, to, left, width } = this.view;
    return left + ((this.data.axis.place(time) - from) / (to - from)) * (width - left);
  }

  private y(lane: number): number {
    return HEAD + lane * LANE - this.view.top;
  }

  private lanes(): void {
    const { context, colours, data, view } = this;
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (
      let lane = Math.max(0, this.first);
      lane < Math.min(this.last, data.lanes.length);
      lane++
    ) {
      const y = this.y(lane);
      const head = data.lanes[lane]?.head;
      context.fillStyle = colours.line;
      context.fillRect(0, y, view.width, head ? 1 : 0.4);
      context.fillStyle = colours.fg;
      context.fillText(shortened(this.labels[lane] ?? "", view.left), 6, y + LANE / 2);
    }
  }

  private breaks(): void {
    const { context, colours, data, view } = this;
    context.textAlign = "center";
    for (const { from, to } of data.axis.breaks) {
      const [x1, x2] = [this.x(from), this.x(to)];
      if (x2 < view.left || x1 > view.width) continue;
      context.fillStyle = colours.soft;
      context.fillRect(x1, HEAD, x2 - x1, view.height);
    }
    context.textAlign = "start";
  }

  /** From where to where the clock was moved: what lies between was served on the way. */
  private jumps(): void {
    const { context, colours, data, view } = this;
    context.strokeStyle = colours.accent;
    context.lineWidth = 1;
    context.setLineDash([2, 3]);
    context.beginPath();
    for (const x of data.jumps.flat().map((time) => this.x(time))) {
      context.moveTo(x, HEAD);
      context.lineTo(x, view.height);
    }
    context.stroke();
    context.setLineDash([]);
  }

  private colour({ look }: Bar): string {
    const { colours } = this;
    return { ok: colours.good, failed: colours.alarm, repaired: colours.wait, undone: colours.dim }[
      look
    ];
  }

  private seen({ lane }: Bar): boolean {
    return lane >= this.first - 1 && lane <= this.last;
  }

  /** Pale: what waits in the mailbox. */
  private waits(): void {
    const { context, colours, data, view } = this;
    const pale = new Map<number, number>(); // up to where a lane is, for tints add up
    context.fillStyle = colours.wait;
    for (const bar of data.bars) {
      if (!this.seen(bar) || bar.sent >= bar.begin) continue;
      const x = this.x(bar.begin);
      const from = Math.max(this.x(bar.sent), pale.get(bar.lane) ?? Number.NEGATIVE_INFINITY);
      pale.set(bar.lane, Math.max(x, pale.get(bar.lane) ?? x));
      if (x - from < 1 || x < view.left || from > view.width) continue;
      context.globalAlpha = 0.35 * this.lit(bar);
      context.fillRect(from, this.y(bar.lane) + (LANE - BAR) / 2 + 3, x - from, BAR - 6);
    }
    context.globalAlpha = 1;
  }

  private lit({ seq }: Bar): number {
    return this.marks.chained && !this.marks.chained.has(seq) ? 0.2 : 1;
  }

  private bars(): void {
    const { context, colours, data, marks, view } = this;
    data.bars.forEach((bar, index) => {
      if (!this.seen(bar)) return;
      const x = this.x(bar.begin);
      const width = Math.max(LEAST_BAR, this.x(bar.end) - x);
      if (x + width < view.left || x > view.width) return;
      const y = this.y(bar.lane) + (LANE - BAR) / 2;
      context.globalAlpha = this.lit(bar);
      context.fillStyle = this.colour(bar);
      context.fillRect(x, y, width, BAR);
      if (bar.look === "failed") this.cross(x + width / 2, y - 1);
      if (bar.seq === marks.selected || index === marks.hovered) {
        context.strokeStyle = colours.fg;
        context.lineWidth = bar.seq === marks.selected ? 2 : 1;
        context.strokeRect(x - 2, y - 2, width + 4, BAR + 4);
      }
    });
    context.globalAlpha = 1;
  }

  /** A shape beside the colour. */
  private cross(x: number, y: number): void {
    const { context, colours } = this;
    context.strokeStyle = colours.alarm;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x - 3, y - 3);
    context.lineTo(x + 3, y + 3);
    context.moveTo(x + 3, y - 3);
    context.lineTo(x - 3, y + 3);
    context.stroke();
  }

  /** Messages, where there is room for lines: of a few hundred bars, or of the chain that is lit. */
  private arrows(): void {
    const { context, colours, data, marks } = this;
    const few = data.bars.length <= 400;
    context.lineWidth = 1;
    context.strokeStyle = colours.dim;
    context.globalAlpha = marks.chained ? 1 : PALE;
    context.beginPath();
    for (const bar of data.bars) {
      const cause = data.bars[bar.cause];
      const wanted = few || marks.chained?.has(bar.seq);
      if (!cause || !wanted || (!this.seen(bar) && !this.seen(cause))) continue;
      if (marks.chained && !marks.chained.has(bar.seq)) continue;
      const [x1, y1] = [this.x(bar.sent), this.y(cause.lane) + LANE / 2];
      const [x2, y2] = [this.x(bar.begin), this.y(bar.lane) + LANE / 2];
      context.moveTo(x1, y1);
      context.bezierCurveTo(x1 + 8, (y1 + y2) / 2, x2 - 8, (y1 + y2) / 2, x2, y2);
      context.moveTo(x2 - 4, y2 + (y2 > y1 ? -5 : 5));
      context.lineTo(x2, y2);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  /** Open ends: what falls due later. */
  private pending(): void {
    const { context, colours, data } = this;
    context.strokeStyle = colours.wait;
    context.lineWidth = 2;
    context.setLineDash([4, 3]);
    for (const { lane, begin, due } of data.pending) {
      if (lane < this.first - 1 || lane > this.last) continue;
      const y = this.y(lane) + LANE / 2;
      const x = this.x(due);
      context.beginPath();
      context.moveTo(this.x(begin), y);
      context.lineTo(x - 5, y);
      context.stroke();
      context.beginPath();
      context.arc(x, y, 4, 0, Math.PI * 2);
      context.stroke();
    }
    context.setLineDash([]);
  }

  private brush(): void {
    const { context, colours, marks, view } = this;
    if (!marks.brush) return;
    const [a, b] = [Math.min(...marks.brush), Math.max(...marks.brush)];
    context.globalAlpha = 0.2;
    context.fillStyle = colours.accent;
    context.fillRect(a, HEAD, b - a, view.height);
    context.globalAlpha = 1;
  }

  private axis(): void {
    const { context, colours, data, view } = this;
    context.fillStyle = colours.bg;
    context.fillRect(0, 0, view.width, HEAD);
    context.fillStyle = colours.line;
    context.fillRect(0, HEAD - 1, view.width, 1);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    const taken: [number, number][] = [];
    const write = (text: string, x: number, colour: string) => {
      const end = x + context.measureText(text).width;
      if (x < view.left || end > view.width) return;
      if (taken.some(([from, to]) => x < to + 10 && end + 10 > from)) return;
      context.fillStyle = colour;
      context.fillText(text, x, HEAD / 2);
      taken.push([x, end]);
    };
    const marks: [number, string, string][] = []; // what matters most comes first
    for (const [before, after] of data.jumps) {
      const [x1, x2] = [this.x(before), this.x(after)];
      context.fillStyle = colours.accent;
      context.fillRect(x1, HEAD - 3, x2 - x1, 3);
      marks.push([x1, `▸▸ +${duration(after - before)}`, colours.accent]);
    }
    for (const { from, to } of data.axis.breaks) {
      const isJump = data.jumps.some(([before, after]) => before <= from && after >= to);
      if (!isJump) marks.push([this.x(from), `⋯ ${duration(to - from)}`, colours.wait]);
    }
    const wanted = (view.width - view.left) / TICK;
    for (const time of ticks(data.axis, view.from, view.to, wanted)) {
      marks.push([this.x(time), clock(time), colours.dim]);
    }
    for (const [x, text, colour] of marks) {
      if (x < view.left - 1 || x > view.width) continue;
      context.fillStyle = colours.line;
      context.fillRect(x, HEAD - 5, 1, 5);
      write(text, x + 3, colour);
    }
  }
}

function shortened(label: string, width: number): string {
  const most = Math.max(4, Math.floor((width - 12) / 6.6));
  return label.length > most ? `…${label.slice(1 - most)}` : label;
}
