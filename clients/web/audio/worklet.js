/**
 * Runs on the audio thread: what the microphone hears becomes frames, and only those of speech leave it.
 *
 * It says `{detects}` first, whether it finds speech by itself; then, for every frame, `{level, given}`: the frame's
 * level in dBFS and what `speech.js` gives. To "flush" it answers `{given, isLast: true}`.
 */

import { VoiceDetector } from "./detector.js";
import { dbfs, FrameCutter, SAMPLE_RATE } from "./frames.js";
import { Resampler } from "./resampler.js";
import { Everything, SpeechOnly } from "./speech.js";

function speechFrom(wasm) {
  try {
    return new SpeechOnly(new VoiceDetector(wasm));
  } catch {
    return new Everything(); // there is no package, or the browser forbids WebAssembly here
  }
}

class Capture extends AudioWorkletProcessor {
  #resampler = sampleRate === SAMPLE_RATE ? null : new Resampler(sampleRate, SAMPLE_RATE);
  #frames = new FrameCutter();
  #speech;
  #isOver = false;

  constructor({ processorOptions }) {
    super();
    this.#speech = speechFrom(processorOptions.wasm);
    this.port.onmessage = () => this.#finish();
    this.port.postMessage({ detects: this.#speech instanceof SpeechOnly });
  }

  process([[samples]]) {
    if (samples && !this.#isOver) this.#hear(this.#resampler ? this.#resampler.push(samples) : samples);
    return !this.#isOver;
  }

  #hear(samples) {
    for (const frame of this.#frames.push(samples)) {
      this.port.postMessage({ level: dbfs(frame), given: this.#speech.push(frame) });
    }
  }

  #finish() {
    this.#isOver = true;
    this.port.postMessage({ given: this.#speech.flush(), isLast: true });
  }
}

registerProcessor("capture", Capture);
