/** The units that sound is handled in here: frames of 20 ms, 16 kHz mono, 16 bit. The models hear 16 kHz. */

export const SAMPLE_RATE = 16_000;
export const FRAME_SECONDS = 0.02;
export const FRAME_SAMPLES = Math.round(SAMPLE_RATE * FRAME_SECONDS);

/** Cuts samples from -1 to 1 at 16 kHz, in pieces of any length, into frames (Int16Array). */
export class FrameCutter {
  #frame = new Int16Array(FRAME_SAMPLES);
  #filled = 0;

  *push(samples) {
    for (const sample of samples) {
      this.#frame[this.#filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.#filled === FRAME_SAMPLES) {
        yield this.#frame;
        this.#frame = new Int16Array(FRAME_SAMPLES);
        this.#filled = 0;
      }
    }
  }
}

/** The mean power of a frame in dB relative to full scale. */
export function dbfs(frame) {
  const square = frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length;
  return 10 * Math.log10(square / 32768 ** 2 + 1e-12);
}
