// What is shown, as a file: the kernel writes it, with whole values.
import { useAct, useCan } from "./hooks";

interface DownloadProps {
  /** Of the file, without what tells its form. */
  name: string;
  disabled: boolean;
  ask: () => Record<string, unknown>;
}

export function Download({ name, disabled, ask }: DownloadProps) {
  const [act, problem] = useAct();
  const can = useCan();
  const download = async (form: "jsonl" | "csv") => {
    const text = await act<string>("download", { ...ask(), form });
    if (text !== undefined) save(text, `${fileName(name)}.${form}`, form);
  };
  if (!can.ask) return null;
  return (
    <span class="sf-download">
      {problem && (
        <span class="sf-problem" role="alert">
          {problem}
        </span>
      )}
      <button type="button" disabled={disabled} onClick={() => download("jsonl")}>
        <span aria-hidden="true">⤓ </span>JSON lines
      </button>
      <button type="button" disabled={disabled} onClick={() => download("csv")}>
        <span aria-hidden="true">⤓ </span>CSV
      </button>
    </span>
  );
}

export function fileName(name: string): string {
  return name.replaceAll(/[^\w.-]+/g, "_").replaceAll(/^_+|_+$/g, "") || "statefun";
}

const TYPES = {
  jsonl: "application/jsonl",
  csv: "text/csv",
  svg: "image/svg+xml",
  mmd: "text/plain",
};

export function save(content: string | Blob, name: string, form: keyof typeof TYPES): void {
  const blob = typeof content === "string" ? new Blob([content], { type: TYPES[form] }) : content;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
