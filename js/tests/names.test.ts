import { expect, test } from "vitest";
import { namesWithout } from "../src/names";

test.each([
  ["shop/order/dora", "order/dora"],
  ["shop/order 'dora'", "order/dora"],
  [`shop/order "it's"`, "order/it's"],
  ["shop/order 'long…", "order/long…"],
  ["shop/order/a 'b'", "order/a 'b'"],
  ["other/order 'dora'", "other/order/dora"],
  ["shop/order", "order"],
  ["by hand", "by hand"],
])("an address has one notation, however it came: %s", (came, shown) => {
  expect(namesWithout("shop").text(came)).toBe(shown);
});
