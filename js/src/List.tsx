// A list as a screen reader has it: with a name, once it has an entry. One without is no list.
import type { ComponentChildren } from "preact";

interface Props {
  label: string;
  entries: number;
  children: ComponentChildren;
}

export function List({ label, entries, children }: Props) {
  const names = entries > 0 ? { role: "list" as const, "aria-label": label } : {};
  return (
    <div class="sf-list" {...names}>
      {children}
    </div>
  );
}
