// The notebook around a view, where it is one of Jupyter's.

/** Scroll to the cell that was run with this number, and let it be seen; false when it is not there. */
export function showCell(from: Element, number: string): boolean {
  const notebook = from.closest(".jp-Notebook") ?? document;
  for (const prompt of notebook.querySelectorAll(".jp-InputPrompt")) {
    if (prompt.textContent?.trim() !== `[${number}]:`) continue;
    const cell = prompt.closest<HTMLElement>(".jp-Cell");
    if (!cell) continue;
    cell.scrollIntoView({ block: "center" });
    cell.animate?.([{ outline: "3px solid #d9a406" }, { outline: "3px solid transparent" }], {
      duration: 1_500,
    });
    return true;
  }
  return false;
}
