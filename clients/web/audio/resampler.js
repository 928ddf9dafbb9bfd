/** Sample rates, where a browser does not give 16 kHz: a windowed sinc, one filter per phase. */

const ZERO_CROSSINGS = 16; // on each side: the more, the steeper the edge below the Nyquist frequency
const ROLL_OFF = 0.94; // where the pass band ends, of the Nyquist frequency: what lies above would fold back

/** Resamples one stream, in pieces of any length. It lags behind by some 16 samples of the lower rate. */
export class Resampler {
  #up;
  #down;
  #half;
  #filters;
  #buffer; // samples still needed; the first output's centre is at `#half - 1`
  #base = 0; // where the next output's filter begins in it
  #phase = 0;

  constructor(from, to) {
    const divisor = gcd(from, to);
    this.#up = to / divisor;
    this.#down = from / divisor;
    const cutoff = ROLL_OFF * Math.min(1, to / from);
    this.#half = Math.ceil(ZERO_CROSSINGS / cutoff);
    this.#filters = Array.from({ length: this.#up }, (_, phase) => filter(phase / this.#up, cutoff, this.#half));
    this.#buffer = new Float32Array(this.#half - 1);
  }

  /** The samples (Float32Array) that these (Float32Array) complete. */
  push(samples) {
    this.#append(samples);
    const output = [];
    while (this.#base + 2 * this.#half <= this.#buffer.length) {
      output.push(this.#sample());
      this.#phase += this.#down;
      this.#base += Math.floor(this.#phase / this.#up);
      this.#phase %= this.#up;
    }
    const used = Math.min(this.#base, this.#buffer.length);
    this.#buffer = this.#buffer.subarray(used);
    this.#base -= used;
    return Float32Array.from(output);
  }

  #append(samples) {
    const buffer = new Float32Array(this.#buffer.length + samples.length);
    buffer.set(this.#buffer);
    buffer.set(samples, this.#buffer.length);
    this.#buffer = buffer;
  }

  #sample() {
    const taps = this.#filters[this.#phase];
    let sum = 0;
    for (let i = 0; i < taps.length; i++) sum += taps[i] * this.#buffer[this.#base + i];
    return sum;
  }
}

/** The taps for an output that lies `fraction` after the input sample at index `half - 1`. */
function filter(fraction, cutoff, half) {
  const taps = Float64Array.from({ length: 2 * half }, (_, i) => {
    const t = i - (half - 1) - fraction;
    return sinc(cutoff * t) * Math.cos((Math.PI * t) / (2 * half)) ** 2;
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function gcd(a, b) {
  return b ? gcd(b, a % b) : a;
}
