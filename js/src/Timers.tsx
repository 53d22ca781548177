// Delayed messages that are pending, and the clock they wait for.
import { useState } from "preact/hooks";
import { clock, count } from "./format";
import { message, useAnswer, useCan, useFilter, useSession, useStore } from "./hooks";
import { List } from "./List";
import { NotNarrowed } from "./NotNarrowed";
import { useNames } from "./names";
import { TimeLeft } from "./TimeLeft";
import { LONGEST_DELAY, type TimerPage } from "./wire";

const UNITS = { seconds: 1, minutes: 60, hours: 3600, days: 86_400 } as const;

export function Timers() {
  const { connection } = useSession();
  const store = useStore();
  const header = store.header;
  const can = useCan();
  const names = useNames();
  const { filter } = useFilter();
  const { value, error, reload } = useAnswer<TimerPage>(
    "timers",
    { typename: filter.typename, id: filter.id },
    `${header?.delayed} ${header?.traced}`,
  );
  const [amount, setAmount] = useState("1");
  const [unit, setUnit] = useState<keyof typeof UNITS>("minutes");
  const [note, setNote] = useState("");
  const act = async (name: string, args: Record<string, unknown>) => {
    setNote("");
    try {
      const result = await connection.call<unknown>(name, args);
      if (name === "cancel" && result === false) setNote("that message is not pending any more");
    } catch (reason) {
      setNote(message(reason));
    }
    reload();
  };
  return (
    <div class="sf-pane">
      <form
        class="sf-bar"
        onSubmit={(event) => {
          event.preventDefault();
          act("advance", { seconds: Number(amount) * UNITS[unit] });
        }}
      >
        <label>
          Advance the clock by{" "}
          <input
            type="number"
            min="0"
            max={LONGEST_DELAY / UNITS[unit]}
            step="any"
            required
            value={amount}
            onInput={(event) => setAmount(event.currentTarget.value)}
          />
        </label>
        <select
          aria-label="Unit of time"
          value={unit}
          onChange={(event) => setUnit(event.currentTarget.value as keyof typeof UNITS)}
        >
          {Object.keys(UNITS).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <button type="submit" disabled={!can.edit}>
          Advance
        </button>
        <span class="sf-fill" />
        <span class="sf-dim" role="status">
          {value && `${count(value.total)} pending`}
        </span>
      </form>
      {(note || error) && (
        <div class="sf-problem" role="alert">
          {note || error}
        </div>
      )}
      <NotNarrowed />
      <List label="Delayed messages that are pending" entries={value?.rows.length ?? 0}>
        {value?.rows.map((timer) => (
          <div class="sf-value sf-timer" role="listitem" key={timer.number}>
            <span>
              {clock(timer.due)} <TimeLeft until={timer.due} />
            </span>
            <bdi class="sf-key">{names.address(timer.typename, timer.id)}</bdi>
            <bdi class="sf-grow">{timer.text}</bdi>
            <bdi class="sf-dim">
              {timer.token && `token ${timer.token}`}{" "}
              {timer.owner ? `by ${names.text(timer.owner)}` : ""}
            </bdi>
            {can.edit && (
              <button
                type="button"
                aria-label={`Cancel the message to ${names.address(timer.typename, timer.id)}`}
                onClick={() => act("cancel", { number: timer.number })}
              >
                Cancel
              </button>
            )}
          </div>
        ))}
        {value?.rows.length === 0 && (
          <div class="sf-empty">
            <strong>
              No delayed message {filter.typename || filter.id ? "of these addresses " : ""}is
              pending.
            </strong>
            <br />
            ctx.send_after(timedelta(minutes=5), ...) makes one; the clock above brings it near.
          </div>
        )}
      </List>
    </div>
  );
}
