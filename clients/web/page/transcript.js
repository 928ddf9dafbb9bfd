/** The words as they come: what is certain solid, what is still open lighter. */

export class Transcript {
  #element;
  #stable;
  #open;
  #said = ""; // of an utterance that was too long, and goes on

  constructor(element, stable, open) {
    this.#element = element;
    this.#stable = stable;
    this.#open = open;
  }

  /** How the utterance reads so far; `stable` is the beginning of it that will stay. */
  interim(text, stable) {
    this.#show(stable, text.slice(stable.length));
  }

  /** The utterance's words, or, where more of it follows, the first of them; gives all of it so far. */
  final(text, isLast = true) {
    const said = [this.#said, text].filter(Boolean).join(" ");
    this.#said = "";
    this.#show(said, "");
    if (!isLast) this.#said = said;
    return said;
  }

  /** The next utterance begins. */
  next() {
    if (!this.#said) this.#show("", "…");
  }

  /** No more words are coming. */
  settle() {
    if (this.#open.textContent === "…") this.#show("", "");
  }

  #show(stable, open) {
    this.#stable.textContent = [this.#said, stable].filter(Boolean).join(" ");
    this.#open.textContent = this.#said && !stable ? ` ${open}` : open;
    this.#element.hidden = !(stable || open);
  }
}
