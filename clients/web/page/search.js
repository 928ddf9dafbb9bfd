/** Typed search: GET v1/search. */

import { authorization } from "../key.js";
import { Trouble } from "../trouble.js";

/** What a typed query finds: `{query, results, timings}`; `asked` are more parameters. Throws Trouble, also "key" where a key is needed. */
export async function search(query, asked, signal) {
  const address = new URL("v1/search", document.baseURI);
  address.search = new URLSearchParams({ q: query, ...asked });
  const response = await answer(address, signal);
  if (response.ok) return response.json();
  throw await troubleIn(response);
}

async function answer(address, signal) {
  try {
    return await fetch(address, { headers: authorization(), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(navigator.onLine ? "gone" : "offline");
  }
}

async function troubleIn(response) {
  const body = await response.json().catch(() => null);
  if (response.status === 401) return new Trouble("key");
  if (response.status === 503 || response.status === 429) return new Trouble("busy");
  return new Trouble(response.status >= 500 ? "gone" : "refused", body?.error?.message);
}
