// A value as text, to be edited: Ctrl-Enter saves, Escape gives up.
import { useState } from "preact/hooks";

interface EditorProps {
  label: string;
  text: string;
  /** What its button says. */
  done: string;
  /** Did it go through? */
  save: (text: string) => Promise<boolean>;
  cancel: () => void;
}

export function Editor({ label, text: before, done, save, cancel }: EditorProps) {
  const [text, setText] = useState(before);
  const [busy, setBusy] = useState(false);
  const submit = async (event?: Event) => {
    event?.preventDefault();
    setBusy(true);
    await save(text);
    setBusy(false);
  };
  const rows = Math.max(1, Math.min(8, text.split("\n").length, 8));
  return (
    <form class="sf-editor" onSubmit={submit}>
      <textarea
        rows={rows}
        aria-label={label}
        value={text}
        ref={(element) => {
          if (element && element.dataset.seen !== "yes") {
            element.dataset.seen = "yes";
            element.focus();
          }
        }}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.stopPropagation();
            cancel();
          } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
        }}
      />
      <button type="submit" disabled={busy}>
        {done}
      </button>
      <button type="button" onClick={cancel}>
        Cancel
      </button>
    </form>
  );
}
