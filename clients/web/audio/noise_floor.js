/** How loud the background is, and whether a frame stands out of it: as vad/noise_floor.py, which gives the reasons. */

import { FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE } from "./frames.js";
import { hann, powers } from "./spectrum.js";

const [LOWEST_BIN, HIGHEST_BIN] = [200, 3400].map((hertz) => Math.round((hertz * FRAME_SAMPLES) / SAMPLE_RATE));
export const SILENT_DBFS = -60;
const QUIETEST_DBFS = -80;
const WARM_UP_FRAMES = Math.round(1 / FRAME_SECONDS);
const MEMORY_FRAMES = Math.round(3 / FRAME_SECONDS);
const SMOOTHING_FRAMES = Math.round(0.1 / FRAME_SECONDS);
const ADAPTATION = FRAME_SECONDS / 1;
const MARGIN_DB = [6, 12];
const DEVIATIONS = 4;
const INITIAL_DEVIATION_DB = 2;

const WINDOW = normalised(hann(FRAME_SAMPLES));

function normalised(window) {
  const energy = window.reduce((sum, weight) => sum + weight * weight, 0);
  return window.map((weight) => weight / (32768 * Math.sqrt(energy)));
}

/** The mean power of a frame between 200 and 3,400 Hz, in dB relative to a full-scale square wave. */
export function voiceLevel(frame) {
  const windowed = WINDOW.map((weight, i) => weight * frame[i]);
  const sum = powers(windowed, LOWEST_BIN, HIGHEST_BIN, FRAME_SAMPLES).reduce((total, power) => total + power, 0);
  return Math.max(QUIETEST_DBFS, 10 * Math.log10((2 * sum) / FRAME_SAMPLES + 1e-12));
}

export class NoiseFloor {
  /** The floor, in dBFS, after the last frame. */
  level = QUIETEST_DBFS;
  #recent = [];
  #smoothed = [];
  #frames = 0;
  #mean = null;
  #deviation = INITIAL_DEVIATION_DB;

  /** Whether a frame of `level` dBFS is clearly louder than the background; true while that is unknown. */
  standsOut(level, speechLike) {
    this.level = this.#follow(level);
    if (!speechLike) this.#learnBackground(level);
    return this.#frames++ < WARM_UP_FRAMES || level > this.level + this.#margin();
  }

  #follow(level) {
    remember(this.#recent, 10 ** (level / 10), SMOOTHING_FRAMES);
    const mean = this.#recent.reduce((sum, power) => sum + power, 0) / this.#recent.length;
    remember(this.#smoothed, 10 * Math.log10(mean), MEMORY_FRAMES);
    return Math.min(...this.#smoothed);
  }

  #learnBackground(level) {
    this.#mean = this.#mean === null ? level : this.#mean + ADAPTATION * (level - this.#mean);
    this.#deviation += ADAPTATION * (Math.abs(level - this.#mean) - this.#deviation);
  }

  #margin() {
    const above = (this.#mean ?? this.level) - this.level + DEVIATIONS * this.#deviation;
    return Math.min(MARGIN_DB[1], Math.max(MARGIN_DB[0], above));
  }
}

function remember(values, value, most) {
  values.push(value);
  if (values.length > most) values.shift();
}
