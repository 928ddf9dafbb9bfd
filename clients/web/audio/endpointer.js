/** Where utterances begin and end: decisions about frames in, events out. The rules of vad/endpointer.py. */

import { FRAME_SECONDS } from "./frames.js";

/** In seconds, except the onset's votes, which are frames; vad/endpointer.py says what each is for. */
export const OPTIONS = {
  preRoll: 0.2,
  hangover: 0.64,
  patience: 0.24,
  postRoll: 0.3,
  shortest: 0.12,
  longest: 28, // the server cuts at 30 by itself: an utterance that ends there would be answered twice
  onsetVotes: 4,
  onsetWindow: 6,
};

/**
 * Gives `{type: "started", start}` once there is enough speech for an utterance, and `{type: "ended", start, end}`,
 * where it reaches over the frames start <= i < end.
 */
export class Endpointer {
  #options;
  #sound = []; // of the last frames, whether they may be speech
  #window = [];
  #heard = 0;
  #isTentative = false; // the last frame
  #previousEnd = 0;
  #utterance = null; // {start, lastSpeech, voiced, needed, announced}

  constructor(options = OPTIONS) {
    const { onsetVotes, onsetWindow, ...seconds } = options;
    const frames = Object.entries(seconds).map(([name, value]) => [name, Math.round(value / FRAME_SECONDS)]);
    this.#options = { onsetVotes, onsetWindow, ...Object.fromEntries(frames) };
    this.#options.shortest = Math.max(onsetVotes, this.#options.shortest);
  }

  /** The first frame that an event still to come may reach back to; audio before it can be let go. */
  get openFrom() {
    if (this.#utterance) return this.#reachable(this.#utterance.start);
    return Math.max(this.#previousEnd, this.#heard - this.#window.length - this.#options.preRoll);
  }

  /** The end of what certainly belongs to the utterance, as a frame; null where none has been announced. */
  get certainUntil() {
    if (!this.#utterance?.announced) return null;
    return Math.min(this.#heard, this.#utterance.lastSpeech + 1 + this.#options.postRoll);
  }

  /** Takes the decision about the next frame; gives what that settles, usually nothing. */
  push({ isSpeech, isTentative }) {
    const frame = this.#heard++;
    this.#isTentative = isTentative;
    this.#sound.push(isSpeech || isTentative);
    if (this.#sound.length > this.#options.longest) this.#sound.shift();
    if (!this.#utterance) {
      this.#vote(isSpeech);
    } else if (isSpeech) {
      this.#utterance.lastSpeech = frame;
      this.#utterance.voiced++;
    }
    return [...this.#announce(), ...this.#endBySilence(), ...this.#endByLength()];
  }

  /** Ends the utterance that is open. */
  flush() {
    const events = this.#close();
    this.#previousEnd = this.#heard;
    return events;
  }

  #vote(isSpeech) {
    this.#window.push(isSpeech);
    if (this.#window.length > this.#options.onsetWindow) this.#window.shift();
    const voiced = this.#window.filter(Boolean).length;
    if (voiced < this.#options.onsetVotes) return;
    const first = this.#heard - this.#window.length + this.#window.indexOf(true);
    this.#utterance = {
      start: Math.max(this.#previousEnd, first - this.#options.preRoll),
      lastSpeech: this.#heard - 1,
      voiced,
      needed: this.#options.shortest,
      announced: false,
    };
  }

  #announce() {
    const utterance = this.#utterance;
    if (!utterance || utterance.announced || utterance.voiced < utterance.needed) return [];
    utterance.announced = true;
    utterance.start = this.#reachable(utterance.start);
    return [{ type: "started", start: utterance.start }];
  }

  #endByLength() {
    const utterance = this.#utterance;
    if (!utterance?.announced || this.#heard - utterance.start < this.#options.longest) return [];
    const cut = utterance.start + bestCut(this.#sound);
    this.#previousEnd = cut;
    const voiced = utterance.lastSpeech >= cut ? 1 : 0;
    // What follows belongs to speech already accepted: one frame of it is enough to go on.
    this.#utterance = { ...utterance, start: cut, voiced, needed: 1, announced: false };
    return [{ type: "ended", start: utterance.start, end: cut }, ...this.#announce()];
  }

  #endBySilence() {
    const { hangover, patience } = this.#options;
    const silence = hangover + (this.#isTentative ? patience : 0);
    if (!this.#utterance || this.#heard - 1 - this.#utterance.lastSpeech < silence) return [];
    return this.#close();
  }

  #close() {
    const utterance = this.#utterance;
    this.#utterance = null;
    this.#window = [];
    if (!utterance?.announced) return [];
    this.#previousEnd = Math.min(this.#heard, utterance.lastSpeech + 1 + this.#options.postRoll);
    return [{ type: "ended", start: utterance.start, end: this.#previousEnd }];
  }

  /** `start`, moved up where an utterance from there would be longer than the longest. */
  #reachable(start) {
    return Math.max(start, this.#heard - this.#options.longest);
  }
}

/** How much of an utterance that is the longest to keep: to the middle of the longest pause in its second half. */
function bestCut(sound) {
  const earliest = Math.max(Math.floor(sound.length / 2), sound.indexOf(true) + 1);
  let [longest, length, cut] = [0, 0, sound.length];
  for (let at = earliest; at < sound.length; at++) {
    length = sound[at] ? 0 : length + 1;
    if (length > longest) [longest, cut] = [length, at + 1 - Math.ceil(length / 2)];
  }
  return Math.max(cut, Math.min(earliest + 1, sound.length));
}
