// A form that sends a message.
import { useRef, useState } from "preact/hooks";
import { message, useSession, useStore } from "./hooks";
import { isOver, MESSAGE_TYPES } from "./wire";

export function Send() {
  const { connection } = useSession();
  const store = useStore();
  const list = useRef(`sf-${crypto.randomUUID()}`).current;
  const [typename, setTypename] = useState("");
  const [id, setId] = useState("");
  const [text, setText] = useState("");
  const [type, setType] = useState("");
  const [note, setNote] = useState("");
  const [failed, setFailed] = useState(false);
  const send = async (event: Event) => {
    event.preventDefault();
    try {
      await connection.call("send", { typename, id, text, type });
      setFailed(false);
      setNote(`sent to ${typename}/${id}`);
    } catch (error) {
      setFailed(true);
      setNote(message(error));
    }
  };
  return (
    <form class="sf-pane sf-form" onSubmit={send}>
      <label>
        Function
        <input
          list={list}
          required
          placeholder="namespace/name"
          value={typename}
          onInput={(event) => setTypename(event.currentTarget.value)}
        />
        <datalist id={list}>
          {store.header?.functions.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </label>
      <label>
        Id
        <input required value={id} onInput={(event) => setId(event.currentTarget.value)} />
      </label>
      <label>
        Value
        <textarea rows={3} value={text} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <label>
        Type
        <select value={type} onChange={(event) => setType(event.currentTarget.value)}>
          <option value="">as Python reads it</option>
          {MESSAGE_TYPES.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <div class="sf-bar">
        <button type="submit" disabled={store.header !== null && isOver(store.header)}>
          Send
        </button>
        <span role="status" class={failed ? "sf-problem" : "sf-dim"}>
          {note}
        </span>
      </div>
    </form>
  );
}
