// What a page lacks that another machine sent without TLS: there browsers have no secure context.

/** A name that no other element, and no other page, has. */
export function uniqueName(): string {
  // And not randomUUID, which only a secure context has.
  return `sf-${crypto.getRandomValues(new Uint32Array(3)).join("-")}`;
}

/** Put text on the clipboard, by the old way where there is no other. */
export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
