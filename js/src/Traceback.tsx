// A traceback: the user's own frames with their lines, named as IPython names them; all on demand.
import { useState } from "preact/hooks";
import { showCell } from "./cells";
import { Leaf } from "./Tree";
import type { DetailError, Frame } from "./wire";

export function Traceback({ error }: { error: DetailError }) {
  const [whole, setWhole] = useState(false);
  const own = error.frames.filter((frame) => frame.own && frame.code.length > 0);
  return (
    <>
      {own.map((frame, index) => (
        <OwnFrame key={index} frame={frame} last={index === own.length - 1} />
      ))}
      {own.length > 0 && (
        <button
          type="button"
          class="sf-link"
          aria-expanded={whole}
          onClick={() => setWhole(!whole)}
        >
          {whole
            ? "Less"
            : `Whole traceback (${error.frames.length} ${error.frames.length === 1 ? "frame" : "frames"})`}
        </button>
      )}
      {(whole || own.length === 0) && (
        <pre class="sf-pre">
          <Leaf node={error.traceback} />
        </pre>
      )}
    </>
  );
}

function OwnFrame({ frame, last }: { frame: Frame; last: boolean }) {
  const { place, line, code } = frame;
  const [note, setNote] = useState("");
  const cell = /^Cell In\[(\d+)\]$/.exec(place);
  const jump = (event: MouseEvent) => {
    const found = cell?.[1] && showCell(event.currentTarget as Element, cell[1]);
    setNote(found ? "" : `In[${cell?.[1]}] is on this page no more: it has been run again.`);
  };
  return (
    <div class="sf-frame">
      <div>
        {cell ? (
          <button type="button" class="sf-link" title="Show the cell" onClick={jump}>
            {place}, line {line}
          </button>
        ) : (
          <span>
            {place}, line {line}
          </span>
        )}
        <span class="sf-dim"> in {frame.function}</span>
        {note && <span class="sf-dim"> {note}</span>}
      </div>
      <pre class="sf-pre sf-code" tabIndex={0}>
        {code.map(([number, text]) => {
          const words = `${String(number).padStart(4)}  ${text}\n`;
          if (number !== line) return words;
          return last ? (
            <mark key={number}>{words.replace(/^ ?/, "→")}</mark>
          ) : (
            <strong key={number}>{words.replace(/^ ?/, "→")}</strong>
          );
        })}
      </pre>
    </div>
  );
}
