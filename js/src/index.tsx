// What anywidget loads: a line to the kernel for each model, and a drawing for each place it is in.
import { render } from "preact";
import { App } from "./App";
import { Connection, type Model } from "./connection";
import { FrozenModel, thaw } from "./frozen";
import { Selection } from "./selection";
import { TabModel } from "./tab";
import "./theme.css";
import "./dashboard.css";
import "./panes.css";

export default () => {
  let connection: Connection;
  return {
    initialize({ model }: { model: Model }) {
      connection = new Connection(model);
      return () => connection.close();
    },

    render({ model, el }: { model: Model; el: HTMLElement }) {
      el.classList.add("sf-host");
      const hiding = hideSnapshot(model);
      const { store } = connection;
      const selection = new Selection(store, connection);
      render(<App session={{ connection, store, model, selection }} />, el);
      const view = {};
      const observer = new IntersectionObserver((entries) => {
        connection.show(view, entries.at(-1)?.isIntersecting ?? false);
      });
      observer.observe(el);
      return () => {
        observer.disconnect();
        hiding.remove();
        connection.show(view, false);
        render(null, el);
      };
    },
  };
};

/** A view that is a page: of a run that has ended, or of a session that is there. */
function alone(model: Model, el: HTMLElement): void {
  const connection = new Connection(model);
  const selection = new Selection(connection.store, connection);
  el.classList.add("sf-host", "sf-alone");
  render(<App session={{ connection, store: connection.store, model, selection }} />, el);
  connection.show("page", true);
}

/** Draw what `s.report(path)` wrote. */
export async function report(text: string, el: HTMLElement): Promise<void> {
  alone(new FrozenModel(await thaw(text)), el);
}

/** Draw the session at this address. */
export function tab(base: string, el: HTMLElement): void {
  alone(new TabModel(base), el);
}

/** The static picture below is for where no live view is: here it would say everything twice. */
function hideSnapshot(model: Model): HTMLStyleElement {
  const style = document.createElement("style");
  const picture = `.statefun-nb-snapshot-${CSS.escape(String(model.get("picture")))}`;
  style.textContent = `${picture}{display:none}
.jp-OutputArea-child:has(> .jp-OutputArea-output ${picture}){display:none}`;
  document.head.append(style);
  return style;
}
