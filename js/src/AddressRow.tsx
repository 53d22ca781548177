// One address of a table of state: its values, each to be edited, and its history below.
import { useState } from "preact/hooks";
import { Editor } from "./Editor";
import { addressFilter } from "./filter";
import { clock } from "./format";
import { useHistory, useOpenInvocation, useTrait } from "./hooks";
import { useNames } from "./names";
import { StateDiff } from "./StateDiff";
import { TimeLeft } from "./TimeLeft";
import { isSmall, Tree } from "./Tree";
import type { StateRow, StateValue } from "./wire";

/** The names of all values, in the order of their declaration. */
export function valueNames(rows: StateRow[]): string[] {
  return [...new Set(rows.flatMap((row) => row.values.map((value) => value.name)))];
}

/** Types of numbers, as the kernel names them. */
const NUMBERS = new Set(["int", "float", "sf.IntType", "sf.FloatType"]);

/** Is a value a number, or would it be one? */
function isNumber({ value, type }: StateValue): boolean {
  if (Array.isArray(value)) return value[0] === "number";
  return typeof value === "number" || (value === null && NUMBERS.has(type));
}

/** The class of the cells of a value in some rows. */
export function cellClass(rows: StateRow[], name: string): string | undefined {
  const value = rows.flatMap((row) => row.values).find((each) => each.name === name);
  return value && isNumber(value) ? "sf-numeric" : undefined;
}

interface AddressProps {
  typename: string;
  row: StateRow;
  columns: string[];
  editable: boolean;
  act: (name: string, args: Record<string, unknown>) => Promise<boolean>;
  everything?: () => void;
}

export function AddressRow({ typename, row, columns, editable, act, everything }: AddressProps) {
  const openInvocation = useOpenInvocation();
  const names = useNames();
  const [, setFilter] = useTrait<string>("filter");
  const [open, setOpen] = useState(false);
  return (
    <>
      <tr aria-label={`State of ${row.id.slice(0, 100)}`}>
        <th scope="row">
          <bdi class="sf-id" title={row.id.slice(0, 1000)}>
            {row.id}
          </bdi>
          <span class="sf-acts">
            <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
              History
            </button>
            {row.exact && (
              <button
                type="button"
                title="Show this address only"
                onClick={() => setFilter(addressFilter(typename, row.id))}
              >
                ⊃ Filter
              </button>
            )}
            {everything && row.exact && (
              <button
                type="button"
                title="What every function keeps of this id"
                onClick={everything}
              >
                Everything
              </button>
            )}
          </span>
        </th>
        {columns.map((name) => (
          <td key={name} class={cellClass([row], name)}>
            <Value
              value={row.values.find((each) => each.name === name)}
              args={{ typename, id: row.id, name }}
              editable={editable}
              act={act}
            />
          </td>
        ))}
        <td class="sf-changed">
          {row.time > 0 && <span class="sf-dim">{clock(row.time)} </span>}
          {row.seq > 0 && (
            <button type="button" class="sf-link" onClick={() => openInvocation(row.seq)}>
              #{row.seq}
            </button>
          )}
          {row.seq > 0 && (
            <span class="sf-dim">
              {" "}
              for <bdi>{row.by ? names.text(row.by) : "an ingress"}</bdi>
            </span>
          )}
          {row.seq === 0 && row.by && <span>by hand ({row.by})</span>}
        </td>
      </tr>
      {open && (
        <tr>
          <td colSpan={columns.length + 2}>
            <History typename={typename} id={row.id} when={`${row.seq} ${row.time}`} />
          </td>
        </tr>
      )}
    </>
  );
}

interface ValueProps {
  value: StateValue | undefined;
  args: { typename: string; id: string; name: string };
  editable: boolean;
  act: AddressProps["act"];
}

function Value({ value, args, editable, act }: ValueProps) {
  const [editing, setEditing] = useState(false);
  if (!value) return <span class="sf-dim">–</span>;
  const save = async (text: string) => {
    const done = await act("edit", { ...args, text });
    if (done) setEditing(false);
    return done;
  };
  if (editing) {
    return (
      <Editor
        label={`New value of ${value.name}`}
        text={value.text ?? ""}
        done="Save"
        save={save}
        cancel={() => setEditing(false)}
      />
    );
  }
  return (
    <div class="sf-value" title={value.type}>
      {value.present ? (
        <Tree node={value.value} open={isSmall(value.value)} />
      ) : (
        <span class="sf-dim">none</span>
      )}
      {value.expires > 0 && <TimeLeft until={value.expires} />}
      <span class="sf-acts">
        {editable && value.text !== null && (
          <button type="button" aria-label={`Edit ${value.name}`} onClick={() => setEditing(true)}>
            ✎
          </button>
        )}
        {editable && value.present && (
          <button
            type="button"
            aria-label={`Clear ${value.name}`}
            onClick={() => act("clear", args)}
          >
            ✕
          </button>
        )}
      </span>
    </div>
  );
}

function History({ typename, id, when }: { typename: string; id: string; when: string }) {
  const { value, error } = useHistory(typename, id, when);
  const openInvocation = useOpenInvocation();
  if (error) return <div class="sf-problem">{error}</div>;
  return (
    <ol class="sf-history" aria-label="History, newest first">
      {value?.map(({ row, before, after, by }, index) => (
        <li key={row.seq || `${by} ${index}`}>
          {row.seq > 0 ? (
            <button type="button" class="sf-link" onClick={() => openInvocation(row.seq)}>
              {clock(row.time)} #{row.seq}
            </button>
          ) : (
            <span>
              {clock(row.time)} <strong>by hand</strong> ({by})
            </span>
          )}{" "}
          <bdi class="sf-dim">{row.message}</bdi>
          {row.change ? (
            <StateDiff before={before} after={after} />
          ) : (
            <span class="sf-dim"> · {row.status === "ok" ? "unchanged" : row.status}</span>
          )}
        </li>
      ))}
    </ol>
  );
}
