/** How periodic a moment of sound is: as vad/voicing.py, which gives the reasons. */

import { FRAME_SAMPLES, SAMPLE_RATE } from "./frames.js";
import { hann, powers } from "./spectrum.js";

const WINDOW_SAMPLES = 2 * FRAME_SAMPLES;
const TRANSFORM_SECONDS = 0.064;
const LAGS_PER_SECOND = 8000;
const TRANSFORM_LAGS = Math.round(LAGS_PER_SECOND * TRANSFORM_SECONDS);
const [LOWEST_BIN, HIGHEST_BIN] = [70, 1500].map((hertz) => Math.round(hertz * TRANSFORM_SECONDS));
const [SHORTEST_LAG, LONGEST_LAG] = [400, 70].map((hertz) => Math.floor(LAGS_PER_SECOND / hertz));

const WINDOW = hann(WINDOW_SAMPLES);
const LAGS = Array.from({ length: LONGEST_LAG - SHORTEST_LAG + 1 }, (_, i) => lagOf(SHORTEST_LAG + i));

/** What the autocorrelation at a lag is made of: each bin's cosine, and the window's own correlation, undone. */
function lagOf(lag) {
  const own = windowCorrelation((lag * SAMPLE_RATE) / LAGS_PER_SECOND) / windowCorrelation(0);
  const bins = { length: HIGHEST_BIN - LOWEST_BIN + 1 };
  return Float64Array.from(bins, (_, i) => Math.cos((2 * Math.PI * (LOWEST_BIN + i) * lag) / TRANSFORM_LAGS) / own);
}

function windowCorrelation(shift) {
  return WINDOW.reduce((sum, weight, i) => sum + weight * (WINDOW[i + shift] ?? 0), 0);
}

/** How much two frames in a row repeat themselves at a voice's pitch: 0 for silence, near 1 for a vowel. */
export function periodicity(previous, frame) {
  const windowed = WINDOW.map((weight, i) => weight * (i < FRAME_SAMPLES ? previous[i] : frame[i - FRAME_SAMPLES]));
  const power = powers(windowed, LOWEST_BIN, HIGHEST_BIN, SAMPLE_RATE * TRANSFORM_SECONDS);
  const total = power.reduce((sum, value) => sum + value, 0);
  if (!(total > 0)) return 0;
  return Math.max(...LAGS.map((cosines) => cosines.reduce((sum, cosine, i) => sum + cosine * power[i], 0))) / total;
}
