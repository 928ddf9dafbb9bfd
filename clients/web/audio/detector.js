/** Is someone speaking to this microphone? As vad/live_detector.py, with the same decisions, which gives the reasons. */

import { FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE } from "./frames.js";
import { NoiseFloor, SILENT_DBFS, voiceLevel } from "./noise_floor.js";
import { periodicity } from "./voicing.js";

const AGGRESSIVENESS = 3;
const FAINT_DBFS = -42;
const FAINT_FACTOR = 10;
const VOICED = 0.77;
const VOICING_FRAMES = 10;
const CONTINUING_FRAMES = 5;
const CONTINUING_DB = 1;
const BESIDE_DB = 15;
const LOUDNESS_FRAMES = 10;
const LOUD_FRAMES = 3;
const FORGETTING_DB = 3;
const FORGOTTEN_FRAMES = 150;

/** WebRTC's detector, also for faint speech: a second one is given all frames at a higher level. */
class WebRtcVad {
  #library;
  #plain;
  #amplified;
  #at; // in the library's memory, of the frame
  #recent = [];

  /** `wasm` is libfvad, as bytes. */
  constructor(wasm) {
    // At once, not with a promise: a worklet's constructor cannot wait, and these are 15 kB.
    this.#library = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports;
    this.#library._initialize();
    this.#plain = this.#newDetector();
    this.#amplified = this.#newDetector();
    this.#at = this.#library.malloc(2 * FRAME_SAMPLES);
  }

  /** What the detector says of the next frame, of `level` dBFS. */
  isSpeech(frame, level) {
    this.#recent.push(level);
    if (this.#recent.length > LOUDNESS_FRAMES) this.#recent.shift();
    const plain = this.#decide(this.#plain, frame);
    const amplified = this.#decide(
      this.#amplified,
      frame.map((sample) => Math.max(-32768, Math.min(32767, FAINT_FACTOR * sample))),
    );
    const loudest = Math.max(...this.#recent);
    return loudest < FAINT_DBFS ? amplified && loudest > SILENT_DBFS : plain;
  }

  #newDetector() {
    const handle = this.#library.fvad_new();
    this.#library.fvad_set_mode(handle, AGGRESSIVENESS);
    this.#library.fvad_set_sample_rate(handle, SAMPLE_RATE);
    return handle;
  }

  #decide(handle, frame) {
    new Int16Array(this.#library.memory.buffer, this.#at, FRAME_SAMPLES).set(frame);
    return this.#library.fvad_process(handle, this.#at, FRAME_SAMPLES) === 1;
  }
}

/** How loud, in dBFS, whoever speaks to the microphone has been in the last seconds. */
class SpeakerLevel {
  #level = -Infinity;
  #recent = [];
  #sinceSpeech = 0;

  /** Whether the last frames, with the next one of `level` dBFS, may be of the same speaker. */
  isNear(level) {
    this.#recent.push(level);
    if (this.#recent.length > LOUDNESS_FRAMES) this.#recent.shift();
    return Math.max(...this.#recent) >= this.#level - BESIDE_DB;
  }

  /** What the frame turned out to be. */
  follow(isSpeech) {
    this.#level -= FORGETTING_DB * FRAME_SECONDS;
    this.#sinceSpeech = isSpeech ? 0 : this.#sinceSpeech + 1;
    if (this.#sinceSpeech === FORGOTTEN_FRAMES) this.#level = -Infinity;
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
   * Of the stream's next frame (Int16Array): `isSpeech`; or `isTentative`, where it passes for speech and is loud, but
   * nothing voiced has been heard with it yet.
   */
  decide(frame) {
    const level = voiceLevel(frame);
    const speechLike = this.#webrtc.isSpeech(frame, level);
    const standsOut = this.#noiseFloor.standsOut(level, speechLike);
    const opening = speechLike && standsOut;
    const continuing = speechLike && this.#isSpeaking && level > this.#noiseFloor.level + CONTINUING_DB;
    const hasVoice = this.#hasVoice(frame, opening);
    const isNear = this.#speaker.isNear(level);
    const isSpeech = isNear && hasVoice && (opening || continuing);
    this.#speaker.follow(isSpeech);
    this.#sinceSpeech = isSpeech ? 0 : this.#sinceSpeech + 1;
    return { isSpeech, isTentative: isNear && opening && !hasVoice };
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
