/** Is someone speaking to this microphone? As vad/voice.py, with the same decisions, which gives the reasons. */

import { FRAME_SAMPLES, SAMPLE_RATE } from "./frames.js";
import { NoiseFloor, voiceLevel } from "./noise_floor.js";
import { periodicity } from "./voicing.js";

const AGGRESSIVENESS = 3;
const VOICED = 0.77;
const VOICING_FRAMES = 10;
const CONTINUING_FRAMES = 5;
const CONTINUING_DB = 1;

/** WebRTC's detector; `wasm` is libfvad, as bytes. */
class WebRtcVad {
  #library;
  #handle;
  #at; // in the library's memory, of the frame

  constructor(wasm) {
    // At once, not with a promise: a worklet's constructor cannot wait, and these are 15 kB.
    this.#library = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports;
    this.#library._initialize();
    this.#handle = this.#library.fvad_new();
    this.#library.fvad_set_mode(this.#handle, AGGRESSIVENESS);
    this.#library.fvad_set_sample_rate(this.#handle, SAMPLE_RATE);
    this.#at = this.#library.malloc(2 * FRAME_SAMPLES);
  }

  isSpeech(frame) {
    new Int16Array(this.#library.memory.buffer, this.#at, FRAME_SAMPLES).set(frame);
    return this.#library.fvad_process(this.#handle, this.#at, FRAME_SAMPLES) === 1;
  }
}

/** Decides, frame by frame, whether one stream holds someone speaking. */
export class VoiceDetector {
  #webrtc;
  #noiseFloor = new NoiseFloor();
  #previous = new Int16Array(FRAME_SAMPLES);
  #sinceVoiced = VOICING_FRAMES;
  #sinceSpeech = CONTINUING_FRAMES;

  constructor(wasm) {
    this.#webrtc = new WebRtcVad(wasm);
  }

  /**
   * Of the stream's next frame (Int16Array): `isSpeech`; or `isDoubtful`, where it passes for speech and is loud, but
   * nothing voiced has been heard with it yet.
   */
  decide(frame) {
    const level = voiceLevel(frame);
    const speechLike = this.#webrtc.isSpeech(frame);
    const standsOut = this.#noiseFloor.standsOut(level, speechLike);
    const opening = speechLike && standsOut;
    const continuing = speechLike && this.#isSpeaking && level > this.#noiseFloor.level + CONTINUING_DB;
    const hasVoice = this.#hasVoice(frame, opening);
    const isSpeech = hasVoice && (opening || continuing);
    this.#sinceSpeech = isSpeech ? 0 : this.#sinceSpeech + 1;
    return { isSpeech, isDoubtful: opening && !hasVoice };
  }

  /** Whether one of the last frames was speech. */
  get #isSpeaking() {
    return this.#sinceSpeech < CONTINUING_FRAMES;
  }

  /** Whether vocal folds are heard in this frame, or were in one of the last. */
  #hasVoice(frame, mayBeVoiced) {
    const isVoiced = mayBeVoiced && periodicity(this.#previous, frame) >= VOICED;
    this.#sinceVoiced = isVoiced ? 0 : this.#sinceVoiced + 1;
    this.#previous = frame;
    return this.#sinceVoiced < VOICING_FRAMES;
  }
}
