/** The button that is pressed to speak: a tap starts and another stops; who holds it speaks until letting go. */

const HOLD_MILLISECONDS = 400;

/** `isOn()` tells whether it is listening already; `start` and `stop` are called. */
export function onPress(button, { isOn, start, stop }) {
  let startedAt = null; // by the press that is on

  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    startedAt = isOn() ? null : event.timeStamp;
    if (startedAt !== null) start();
  });
  button.addEventListener("pointerup", (event) => {
    const isTap = startedAt !== null && event.timeStamp - startedAt < HOLD_MILLISECONDS;
    if (!isTap && isOn()) stop();
  });
  // A keyboard, or a screen reader's own gesture, clicks without a pointer.
  button.addEventListener("click", (event) => {
    if (event.detail !== 0 || event.pointerType) return;
    if (isOn()) stop();
    else start();
  });
  button.addEventListener("contextmenu", (event) => event.preventDefault());
}
