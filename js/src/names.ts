// Addresses in one notation: `namespace/name/id`, without a namespace that all have.
import { useStore } from "./hooks";
import type { Store } from "./store";

export interface Names {
  /** A typename, such as `shop/cart`; `cart` where there is no other namespace. */
  type: (typename: string) => string;
  address: (typename: string, id: string) => string;
  /** One that comes as a text. */
  text: (address: string) => string;
}

/** The namespace that every function here has; "" when there are several, or none. */
export function onlyNamespace(store: Pick<Store, "types">): string {
  const found = new Set(Object.keys(store.types).map((name) => name.split("/", 1)[0]));
  const [only] = found;
  return found.size === 1 && only ? only : "";
}

export function namesWithout(namespace: string): Names {
  const prefix = namespace && `${namespace}/`;
  const text = (address: string) =>
    prefix && address.startsWith(prefix) ? address.slice(prefix.length) : address;
  return { type: text, text, address: (typename, id) => `${text(typename)}/${id}` };
}

export function useNames(): Names {
  return namesWithout(onlyNamespace(useStore()));
}
