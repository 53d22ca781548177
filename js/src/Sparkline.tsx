// A small chart without axes.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

const WIDTH = 90;
const HEIGHT = 26;

export function Sparkline({
  time,
  series,
  label,
}: {
  time: number[];
  series: number[][];
  label: string;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  useEffect(() => {
    if (!place.current) return;
    const stroke = () => getComputedStyle(place.current as Element).color;
    plot.current = new uPlot(
      {
        width: WIDTH,
        height: HEIGHT,
        pxAlign: false,
        padding: [2, 0, 2, 0],
        cursor: { show: false },
        legend: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: { x: { time: false }, y: { range: (_, __, max) => [0, max || 1] } },
        series: [
          {},
          ...series.map((_, index) => ({
            stroke,
            width: 1.2,
            ...(index ? { dash: [2, 2] } : {}),
            points: { show: false },
          })),
        ],
      },
      [time, ...series],
      place.current,
    );
    return () => plot.current?.destroy();
  }, [series.length]);
  // A canvas does not see that the theme has changed.
  useEffect(() => {
    const watch = new MutationObserver(() => plot.current?.redraw());
    watch.observe(document.body, { attributeFilter: ["class", "data-jp-theme-light"] });
    return () => watch.disconnect();
  }, []);
  // The arrays grow in place: the last time is what tells new data from old.
  useEffect(() => {
    plot.current?.setData([time, ...series]);
  }, [time.at(-1)]);
  return <div ref={place} class="sf-spark" role="img" aria-label={label} />;
}
