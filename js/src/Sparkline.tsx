// A small chart: the last minutes, its highest value, and what was when under the pointer.
import { useState } from "preact/hooks";
import { clock } from "./format";

const [WIDTH, HEIGHT] = [96, 24];

interface SparklineProps {
  time: number[];
  series: number[][];
  label: string;
  text: (value: number) => string;
  /** Only where there is room. */
  wide?: boolean;
}

export function Sparkline({ time, series, label, text, wide = false }: SparklineProps) {
  const [at, setAt] = useState(-1);
  const begin = time[0] ?? 0;
  const span = Math.max((time.at(-1) ?? 0) - begin, 1);
  const most = Math.max(...series.map((values) => Math.max(0, ...values)), 0) || 1;
  const x = (index: number) => (((time[index] ?? begin) - begin) / span) * WIDTH;
  const y = (value: number) => HEIGHT - 2 - (value / most) * (HEIGHT - 4);
  const hover = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const when = begin + ((event.clientX - box.left) / box.width) * span;
    const index = time.findIndex((each) => each >= when);
    setAt(index < 0 ? time.length - 1 : index);
  };
  const shown = at >= 0 && at < time.length;
  const words = shown
    ? `${clock((time[at] ?? 0) * 1000)}: ${series.map((each) => text(each[at] ?? 0)).join(" · ")}`
    : `highest ${text(most)}`;
  return (
    <span class={wide ? "sf-spark sf-spark-wide" : "sf-spark"} title={words}>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        width={WIDTH}
        height={HEIGHT}
        role="img"
        aria-label={`${label}, ${words}`}
        onPointerMove={hover}
        onPointerLeave={() => setAt(-1)}
      >
        <path class="sf-spark-base" d={`M0 ${HEIGHT - 2}H${WIDTH}`} />
        {series.map((values, which) => (
          <polyline
            key={which}
            class={which ? "sf-spark-line sf-spark-second" : "sf-spark-line"}
            points={values
              .map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`)
              .join(" ")}
          />
        ))}
        {shown && <path class="sf-spark-cursor" d={`M${x(at)} 0V${HEIGHT}`} />}
      </svg>
      <span class="sf-spark-most" aria-hidden="true">
        {text(most)}
      </span>
    </span>
  );
}
