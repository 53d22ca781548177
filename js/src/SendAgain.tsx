// The message of an invocation once more, as it was or edited.
import { useState } from "preact/hooks";
import { Editor } from "./Editor";
import { useAct, useCan } from "./hooks";
import type { Detail } from "./wire";

export function SendAgain({ detail }: { detail: Detail }) {
  const [act, problem, clear] = useAct();
  const [editing, setEditing] = useState(false);
  const [note, setNote] = useState("");
  const can = useCan();
  const send = async (text?: string) => {
    const args = { seq: detail.seq, ...(text === undefined ? {} : { text }) };
    const done = (await act("resend", args)) !== undefined;
    if (done) {
      setEditing(false);
      setNote("Sent.");
    }
    return done;
  };
  if (!can.act) return null;
  return (
    <div class="sf-again">
      <div class="sf-bar">
        <button type="button" onClick={() => send()}>
          ↻ Send again
        </button>
        <button
          type="button"
          aria-expanded={editing}
          disabled={detail.text === null}
          title={detail.text === null ? "Its bytes cannot be edited as text" : ""}
          onClick={() => {
            clear();
            setNote("");
            setEditing(!editing);
          }}
        >
          ✎ Edit and send
        </button>
        <span class="sf-dim" role="status">
          {note}
        </span>
      </div>
      {editing && (
        <Editor
          label={`New message (${detail.message_type})`}
          text={detail.text ?? ""}
          done="Send"
          save={send}
          cancel={() => setEditing(false)}
        />
      )}
      {problem && (
        <div class="sf-problem" role="alert">
          {problem}
        </div>
      )}
    </div>
  );
}
