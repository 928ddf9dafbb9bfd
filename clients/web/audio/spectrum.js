/** The little that the detector needs of Fourier's transform: the power of some frequencies in a short window. */

/** The window after Hann, of `length` samples. */
export function hann(length) {
  return Float64Array.from({ length }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (length - 1)));
}

/**
 * The squared magnitudes of the bins `low` to `high` in a transform of `size` points, by G. Goertzel's recurrence
 * ("An Algorithm for the Evaluation of Finite Trigonometric Series", American Mathematical Monthly 65, 1958).
 */
export function powers(samples, low, high, size) {
  return Float64Array.from({ length: high - low + 1 }, (_, i) => power(samples, 2 * Math.cos((2 * Math.PI * (low + i)) / size)));
}

function power(samples, coefficient) {
  let last = 0;
  let before = 0;
  for (let i = 0; i < samples.length; i++) {
    const now = samples[i] + coefficient * last - before;
    before = last;
    last = now;
  }
  return last * last + before * before - coefficient * last * before;
}
