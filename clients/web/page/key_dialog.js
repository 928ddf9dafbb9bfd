/** Asks for the server's key. */

import { storedKey, storeKey } from "../key.js";

const dialog = document.getElementById("key-dialog");
const input = document.getElementById("key");
document.getElementById("no-key").addEventListener("click", () => dialog.close(""));

/** Whether a key was given; it is stored then. A key that was there already has turned out to be wrong. */
export function askForKey() {
  dialog.classList.toggle("wrong", storedKey() !== "");
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(accepted()), { once: true });
  });
}

function accepted() {
  const key = input.value.trim();
  input.value = "";
  if (dialog.returnValue !== "use" || !key) return false;
  storeKey(key);
  return true;
}
