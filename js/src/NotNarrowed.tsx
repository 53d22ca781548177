// What a pane says that follows a filter's one function and one id, where the filter has more.
import { useFilter } from "./hooks";

export function NotNarrowed() {
  const { filter } = useFilter();
  const followed = Number(filter.typename !== "") + Number(filter.id !== "");
  if (filter.parts.length === followed) return null;
  return (
    <div class="sf-dim" role="note">
      Of the filter, this pane follows <code>type:</code> and <code>id:</code> alone, where they
      have no OR, NOT or *.
    </div>
  );
}
