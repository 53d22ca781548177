// A view in a browser tab of its own: the line to the session is HTTP, to the address of the page.
import { LocalModel, TRAITS } from "./localModel";

/** After a failed request, so long until the next. */
const PAUSE_MS = 1_000;
const SILENT = "the session does not answer";

export class TabModel extends LocalModel {
  private listening = false;
  private page = "";

  constructor(private readonly base: string) {
    super({ ...TRAITS });
  }

  send(content: unknown): void {
    const message = content as { kind: string; page: string; id?: string };
    this.page = message.page;
    if (message.kind === "hello") {
      if (!this.listening) this.listen();
    } else if (message.kind === "call") {
      this.say(message);
    }
  }

  private async say(message: { id?: string }): Promise<void> {
    try {
      const answer = await fetch(`${this.base}say`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(message),
      });
      this.hear(await answer.json());
    } catch {
      this.hear({ kind: "reply", ...{ id: message.id, error: SILENT } });
    }
  }

  /** One request after the other, each answered when there is something new. */
  private async listen(): Promise<void> {
    this.listening = true;
    for (;;) {
      try {
        const answer = await fetch(`${this.base}updates?page=${this.page}`);
        if (answer.status === 200) this.hear(await answer.json());
        else if (answer.status !== 204) throw new Error(answer.statusText);
      } catch {
        this.hear({ kind: "problem", ...{ text: SILENT } });
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }
}
