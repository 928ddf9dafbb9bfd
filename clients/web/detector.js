/** Is someone speaking to this microphone? As vad/voice.py, with the same decisions, which gives the reasons. */

import { FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE } from "./frames.js";
import { NoiseFloor, voiceLevel } from "./noise_floor.js";
import { periodicity } from "./voicing.js";

const AGGRESSIVENESS = 3;
const VOICED = 0.77;
const VOICING_FRAMES = 10;
const CONTINUING_FRAMES = 5;
const CONTINUING_DB = 1;
const BESIDE_DB = 15;
const LOUDNESS_FRAMES = 10;
const LOUD_FRAMES = 3;
const FORGETTING_DB = 3;

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

/** How loud, in dBFS, whoever speaks to the microphone has been in the last seconds. */
class SpeakerLevel {
  #level = -Infinity;
  #recent = [];

  /** Whether the last frames, with the next one of `level` dBFS, may be of the same speaker. */
  isNear(level) {
    this.#recent.push(level);
    if (this.#recent.length > LOUDNESS_FRAMES) this.#recent.shift();
    return Math.max(...this.#recent) >= this.#level - BESIDE_DB;
  }

  /** What the frame turned out to be. */
  follow(isSpeech) {
    this.#level -= FORGETTING_DB * FRAME_SECONDS;
    if (isSpeech && this.#recent.length >= LOUD_FRAMES) {
      const loud = [...this.#recent].sort((a, b) => b - a)[LOUD_FRAMES - 1];
      this.#level = Math.max(this.#level, loud);
    }
  }
}

/** Decides, frame by frame, whether one stream holds someone speaking. */
export class VoiceDetector {
  #webrtc;
  #noiseFloor = new NoiseFloor();
  #previous = new Int16Array(FRAME_SAMPLES);
  #speaker = new SpeakerLevel();
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
    const isNear = this.#speaker.isNear(level);
    const isSpeech = isNear && hasVoice && (opening || continuing);
    this.#speaker.follow(isSpeech);
    this.#sinceSpeech = isSpeech ? 0 : this.#sinceSpeech + 1;
    return { isSpeech, isDoubtful: isNear && opening && !hasVoice };
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
