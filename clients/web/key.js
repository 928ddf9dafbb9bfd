/** The key that a server may ask for: kept for this tab until it is closed, and nowhere else. */

const NAME = "sayseek-key";
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // what a browser takes as a subprotocol: RFC 9110, 5.6.2

export function storedKey() {
  return sessionStorage.getItem(NAME) ?? "";
}

export function storeKey(key) {
  sessionStorage.setItem(NAME, key);
}

/** The headers that bring it. */
export function authorization() {
  const key = storedKey();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** The subprotocols that bring it to a WebSocket, which takes no headers from a page. */
export function subprotocols() {
  const key = storedKey();
  return TOKEN.test(key) ? ["token", key] : [];
}

/** Whether the stored key can be sent to a WebSocket. */
export function fitsWebSocket() {
  return !storedKey() || TOKEN.test(storedKey());
}
