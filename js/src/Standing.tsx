// What is wrong with the view itself: it never says what is not so.
import { counted } from "./format";
import { useSession, useStore } from "./hooks";
import { type Header, isOver } from "./wire";

const OVER: Partial<Record<Header["state"], string>> = {
  stopped: "The session has been stopped.",
  ended: "The session has ended.",
  broken:
    "The session serves nothing any more. What is here is what it has in memory, its state too: " +
    "the file may have less.",
};

export function Standing() {
  const { connection } = useSession();
  const { header, missed, problem } = useStore();
  const notes = [
    connection.gone &&
      "The kernel of this view has ended: what is here is how it was. Run the cell again.",
    !connection.gone && problem && `The view stands still: ${problem}`,
    !connection.gone && header?.health,
    !connection.gone && connection.late > 0 && "The kernel has not answered yet: it runs a cell.",
    missed > 0 &&
      `${counted(missed, "invocation")} passed while nobody looked: no graph counts ${missed === 1 ? "it" : "them"}.`,
  ].filter((each): each is string => Boolean(each));
  const over = !connection.gone && header && isOver(header) && OVER[header.state];
  return (
    <div class={connection.gone ? "sf-standing sf-gone" : "sf-standing"} aria-live="polite">
      {over && <div class="sf-dim">{over}</div>}
      {notes.map((each) => (
        <div key={each}>
          <span aria-hidden="true">⚠ </span>
          {each}
        </div>
      ))}
    </div>
  );
}
