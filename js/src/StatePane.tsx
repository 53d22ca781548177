// State as a table: a row an address, a column a value; or all that one id has, across types.
import { useEffect, useState } from "preact/hooks";
import { AddressRow, cellClass, valueNames } from "./AddressRow";
import { Download } from "./Download";
import { isNamed } from "./filter";
import { count } from "./format";
import { useAct, useAnswer, useCan, useFilter, useStore } from "./hooks";
import { useNames } from "./names";
import type { StatePage } from "./wire";

const STEP = 50;
const MORE = 200;

/** What the kernel sorts by: "id", or "state.n" for a value. */
interface Order {
  sort: string;
  descending: boolean;
}

export function StatePane() {
  const store = useStore();
  const names = useNames();
  // The filter names a function, or an instance: so does this pane.
  const { filter } = useFilter();
  // As a person writes it: without its namespace, or "" for the first. The kernel says what is meant.
  const [wanted, setWanted] = useState(filter.typename);
  const [search, setSearch] = useState(filter.id);
  const [limit, setLimit] = useState(STEP);
  const [across, setAcross] = useState("");
  const [order, setOrder] = useState<Order>({ sort: "", descending: false });
  const { value, error, reload } = useAnswer<StatePage>(
    "state",
    { typename: wanted, search, limit, ...order },
    store.header?.traced,
  );
  const [act, problem] = useAct();
  const types = value?.types ?? {};
  const all = Object.keys(types);
  useEffect(() => {
    if (filter.typename) setWanted(filter.typename);
    setSearch(filter.id);
  }, [filter.typename, filter.id]);
  // The first one stays, whatever comes before it later.
  const first = value?.typename;
  useEffect(() => {
    if (first) setWanted((chosen) => chosen || first);
  }, [first]);

  const change = async (name: string, args: Record<string, unknown>) => {
    const done = (await act(name, args)) !== undefined;
    reload();
    return done;
  };
  // What was answered before is not of what is asked now.
  const answered = value !== undefined && (!wanted || isNamed(value.typename, wanted));
  const typename = answered ? value.typename : wanted;
  const rows = answered ? value.rows : [];
  const columns = valueNames(rows);
  const total = value?.total ?? 0;
  const most = Math.min(total, value?.most ?? 0);
  const { edit: editable } = useCan();
  return (
    <div class="sf-pane">
      <div class="sf-bar">
        <label>
          Function{" "}
          <select value={typename} onChange={(event) => setWanted(event.currentTarget.value)}>
            {all.map((name) => (
              <option key={name} value={name}>
                {names.type(name)} ({count(types[name] ?? 0)})
              </option>
            ))}
          </select>
        </label>
        <label class="sf-grow">
          <span class="sf-hidden">Search ids</span>
          <input
            type="search"
            placeholder="Search by id"
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </label>
        {editable && (value?.undoable ?? 0) > 0 && (
          <button type="button" onClick={() => change("undo", {})}>
            ↶ Undo edit
          </button>
        )}
        <span class="sf-dim" role="status">
          {value && `${count(rows.length)} of ${count(total)}`}
          {value && value.ordered < total && `, in order among the newest ${count(value.ordered)}`}
        </span>
        <Download
          name={`state-${typename}`}
          disabled={rows.length === 0}
          ask={() => ({ what: "state", typename, search, ...order })}
        />
      </div>
      {value?.observed && (
        <div class="sf-dim">
          A real cluster keeps its state to itself: this is what the endpoint saw last.
        </div>
      )}
      {(problem || error) && (
        <div class="sf-problem" role="alert">
          {problem || error}
        </div>
      )}
      {across && (
        <Everything
          id={across}
          types={all}
          editable={editable}
          act={change}
          close={() => setAcross("")}
        />
      )}
      {!across && (
        <div class="sf-list" key="list">
          <table class="sf-states" aria-label={`State of ${typename}`}>
            <thead>
              <tr>
                <SortedBy name="id" sort="id" order={order} set={setOrder} />
                {columns.map((name) => (
                  <SortedBy
                    key={name}
                    name={name}
                    sort={`state.${name}`}
                    align={cellClass(rows, name)}
                    order={order}
                    set={setOrder}
                  />
                ))}
                <th scope="col">changed</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <AddressRow
                  key={row.id}
                  typename={typename}
                  row={row}
                  columns={columns}
                  editable={editable && row.exact}
                  act={change}
                  everything={() => setAcross(row.id)}
                />
              ))}
            </tbody>
          </table>
          {answered && rows.length === 0 && (
            <div class="sf-empty">
              {search
                ? `No id of ${names.type(typename)} has "${search}" in it.`
                : `No address of ${names.type(typename) || "a function"} has had a message yet: run s.send(...).`}
            </div>
          )}
          {answered && rows.length < most && (
            <button type="button" onClick={() => setLimit(limit + MORE)}>
              Show more
            </button>
          )}
          {answered && most < total && rows.length === most && (
            <div class="sf-dim">More than these are not shown: search by id, or sort.</div>
          )}
        </div>
      )}
    </div>
  );
}

interface SortedByProps {
  name: string;
  sort: string;
  align?: string | undefined;
  order: Order;
  set: (order: Order) => void;
}

function SortedBy({ name, sort, align, order, set }: SortedByProps) {
  const mine = order.sort === sort;
  const next = mine && !order.descending;
  const is = order.descending ? "descending" : "ascending";
  return (
    <th class={align} scope="col" aria-sort={mine ? is : "none"}>
      <button type="button" onClick={() => set({ sort, descending: next })}>
        {name}
        {mine && <span aria-hidden="true">{order.descending ? " ▼" : " ▲"}</span>}
      </button>
    </th>
  );
}

type Act = (name: string, args: Record<string, unknown>) => Promise<boolean>;

interface EverythingProps {
  id: string;
  types: string[];
  editable: boolean;
  act: Act;
  close: () => void;
}

/** Everything about one id, whatever function keeps it. */
function Everything({ id, types, editable, act, close }: EverythingProps) {
  return (
    <div class="sf-list">
      <div class="sf-bar">
        <h4>
          Everything about <bdi>{id}</bdi>
        </h4>
        <button type="button" onClick={close}>
          ✕ Back to the table
        </button>
      </div>
      {types.map((typename) => (
        <OfType key={typename} typename={typename} id={id} editable={editable} act={act} />
      ))}
    </div>
  );
}

function OfType({
  typename,
  id,
  editable,
  act,
}: Omit<EverythingProps, "types" | "close"> & { typename: string }) {
  const store = useStore();
  const names = useNames();
  const { value, reload } = useAnswer<StatePage>(
    "state",
    { typename, search: id, limit: MORE },
    store.header?.traced,
  );
  const row = value?.rows.find((each) => each.id === id);
  if (!row) return null;
  const columns = valueNames([row]);
  const change: Act = async (name, args) => {
    const done = await act(name, args);
    reload();
    return done;
  };
  return (
    <table class="sf-states" aria-label={`State of ${typename}`}>
      <thead>
        <tr>
          {[names.type(typename), ...columns, "changed"].map((name) => (
            <th key={name} class={cellClass([row], name)} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        <AddressRow
          typename={typename}
          row={row}
          columns={columns}
          editable={editable && row.exact}
          act={change}
        />
      </tbody>
    </table>
  );
}
