/** A stream of frames in; out come the parts of it that are to be sent. */

import { Endpointer } from "./endpointer.js";

/**
 * Gives `{type: "started"}`, `{type: "audio", frame}` for each frame of the utterance, and `{type: "ended"}`.
 * Silence within an utterance is held back until speech goes on, or is never sent.
 */
export class SpeechOnly {
  #detector;
  #endpointer = new Endpointer();
  #held = []; // frames
  #heldFrom = 0;
  #next = 0; // the first frame of the utterance that is still to be given

  constructor(detector) {
    this.#detector = detector;
  }

  push(frame) {
    this.#held.push(frame);
    const given = this.#follow(this.#endpointer.push(this.#detector.decide(frame)));
    const until = this.#endpointer.certainUntil;
    if (until !== null) given.push(...this.#audioUntil(until));
    this.#letGo(until === null ? this.#endpointer.openFrom : this.#next);
    return given;
  }

  flush() {
    return this.#follow(this.#endpointer.flush());
  }

  #follow(events) {
    return events.flatMap(({ type, start, end }) => {
      if (type === "ended") return [...this.#audioUntil(end), { type }];
      this.#next = Math.max(this.#next, start); // one that was cut goes on after what has been given
      return [{ type }];
    });
  }

  #audioUntil(end) {
    const frames = this.#held.slice(this.#next - this.#heldFrom, Math.max(this.#next, end) - this.#heldFrom);
    this.#next = Math.max(this.#next, end);
    return frames.map((frame) => ({ type: "audio", frame }));
  }

  #letGo(from) {
    this.#held.splice(0, from - this.#heldFrom);
    this.#heldFrom = Math.max(this.#heldFrom, from);
  }
}

/** The same where there is no detector: everything is given, and the server finds the speech in it. */
export class Everything {
  push(frame) {
    return [{ type: "audio", frame }];
  }

  flush() {
    return [];
  }
}
