// The sequence diagram of the open invocation's chain, and its files for slides.
import { useMemo } from "preact/hooks";
import { chain } from "./chain";
import { fileName, save } from "./Download";
import { useStore } from "./hooks";
import { useNames } from "./names";
import { sequence, sequenceMermaid, sequenceSvg } from "./sequence";

const SCALE = 2;

export function SequenceDiagram({ seq }: { seq: number }) {
  const store = useStore();
  const names = useNames();
  const data = useMemo(() => sequence(chain(store, seq), names), [seq, store.version]);
  const svg = useMemo(() => sequenceSvg(data), [data]);
  const name = fileName(`chain-${seq}`);
  return (
    <div>
      <div class="sf-bar">
        <button type="button" onClick={() => save(svg, `${name}.svg`, "svg")}>
          ⤓ SVG
        </button>
        <button type="button" onClick={async () => save(await asPng(svg), `${name}.png`, "svg")}>
          ⤓ PNG
        </button>
        <button type="button" onClick={() => save(sequenceMermaid(data), `${name}.mmd`, "mmd")}>
          ⤓ Mermaid
        </button>
      </div>
      <div
        class="sf-sequence"
        tabIndex={0}
        role="group"
        aria-label="Sequence diagram, to be scrolled"
      >
        {/* A picture, and not markup in the page: what payloads say stays words. */}
        <img src={url(svg)} alt={sequenceMermaid(data)} />
      </div>
    </div>
  );
}

function url(svg: string): string {
  return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
}

async function asPng(svg: string): Promise<Blob> {
  const image = new Image();
  image.src = url(svg);
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth * SCALE;
  canvas.height = image.naturalHeight * SCALE;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))));
  });
}
