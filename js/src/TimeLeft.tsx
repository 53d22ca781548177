// A countdown on the session's clock.
import { duration } from "./format";
import { useStore, useTick } from "./hooks";

export function TimeLeft({ until }: { until: number }) {
  const store = useStore();
  useTick(1_000);
  return <span class="sf-dim">{duration(until - store.now())} left</span>;
}
