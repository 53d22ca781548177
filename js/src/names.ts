// Addresses in one notation: `namespace/name/id`, without a namespace that all have.
import { useStore } from "./hooks";
import type { Store } from "./store";

export interface Names {
  /** A typename, such as `shop/cart`; `cart` where there is no other namespace. */
  type: (typename: string) => string;
  address: (typename: string, id: string) => string;
  /** One that comes as a text: `namespace/name/id`, or as Python shows it. */
  text: (address: string) => string;
}

/** An address that Python shows as `namespace/name 'id'` as `namespace/name/id`. */
export function withSlash(address: string): string {
  const match = /^([^\s/]+\/[^\s/]+) (['"])(.*?)(?:\2|(?<=…))$/s.exec(address);
  return match ? `${match[1]}/${match[3]}` : address;
}

/** The namespace that every function here has; "" when there are several, or none. */
export function onlyNamespace(store: Pick<Store, "types">): string {
  const found = new Set(Object.keys(store.types).map((name) => name.split("/", 1)[0]));
  const [only] = found;
  return found.size === 1 && only ? only : "";
}

export function namesWithout(namespace: string): Names {
  const prefix = namespace && `${namespace}/`;
  const type = (name: string) =>
    prefix && name.startsWith(prefix) ? name.slice(prefix.length) : name;
  return {
    type,
    text: (address) => type(withSlash(address)),
    address: (typename, id) => `${type(typename)}/${id}`,
  };
}

export function useNames(): Names {
  return namesWithout(onlyNamespace(useStore()));
}
