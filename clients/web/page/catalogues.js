/** Which catalogue is searched, where the server has several. */

import { authorization } from "../key.js";

const choice = document.getElementById("catalogue");

/** Let the user choose among those that there are; without the key they are not told. */
export async function offerCatalogues() {
  const response = await fetch(new URL("v1/indexes", document.baseURI), { headers: authorization() }).catch(() => null);
  if (!response?.ok) return;
  const { default: usual, indexes } = await response.json();
  const names = indexes.map(({ name }) => name);
  choice.replaceChildren(...names.map((name) => new Option(name, name, name === usual, name === usual)));
  choice.parentElement.hidden = names.length < 2;
}

/** What is chosen, as the server's parameter. */
export function chosen() {
  return choice.parentElement.hidden ? {} : { index: choice.value };
}

/** `callback` is called when another is chosen. */
export function onChoice(callback) {
  choice.addEventListener("change", callback);
}
