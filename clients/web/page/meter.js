/** How loud it is, over the last second, as bars. */

const QUIETEST_DBFS = -60;
const LOUDEST_DBFS = -12;
const FRAMES_PER_BAR = 2;

export class Meter {
  #bars;
  #levels;
  #frames = 0;
  #isDrawing = false;

  /** Fills `element` with as many bars. */
  constructor(element, bars) {
    this.#levels = Array(bars).fill(0);
    this.#bars = this.#levels.map(() => element.appendChild(document.createElement("i")));
  }

  /** Take the level of the next frame, in dBFS. */
  push(dbfs) {
    const share = (dbfs - QUIETEST_DBFS) / (LOUDEST_DBFS - QUIETEST_DBFS);
    const level = Math.min(1, Math.max(0, share));
    if (this.#frames++ % FRAMES_PER_BAR === 0) {
      this.#levels.shift();
      this.#levels.push(level);
    } else {
      this.#levels[this.#levels.length - 1] = Math.max(level, this.#levels.at(-1));
    }
    this.#drawSoon();
  }

  clear() {
    this.#levels.fill(0);
    this.#drawSoon();
  }

  #drawSoon() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#isDrawing = false;
    this.#bars.forEach((bar, i) => bar.style.setProperty("--level", this.#levels[i].toFixed(3)));
    document.documentElement.style.setProperty("--level", this.#levels.at(-1).toFixed(3));
  }
}
