/** One session of listening: the microphone's speech goes to the server, until it is stopped. */

import { Listener } from "./listener.js";
import { Microphone } from "../audio/microphone.js";
import { Trouble } from "../trouble.js";

const QUIET_SECONDS = 8; // after which a silent user is asked whether the microphone hears
const PATIENCE_SECONDS = 30; // after which nobody is there any more

export class Session {
  #on;
  #asked;
  #microphone;
  #listener = null;
  #isStopped = false;
  #hasSpoken = false;
  #timers = [];

  /**
   * `asked` are the search's parameters: `limit`, `index`. `on` has the callbacks `listening()`, `level(dbfs)`, `speech()`, `quiet()`, `results(message)`, `failed(message)`,
   * `waiting(cause)`, `ready()`, `stopping()` and, last, `end(trouble)`, with null where all went well.
   */
  constructor(asked, on) {
    this.#asked = asked;
    this.#on = on;
    this.#microphone = new Microphone(
      (level, given) => this.#hear(level, given),
      () => this.#fail(new Trouble("microphone-lost")),
    );
  }

  async start() {
    try {
      await this.#microphone.open();
    } catch (error) {
      this.#fail(error instanceof Trouble ? error : new Trouble("unsupported", String(error)));
      return;
    }
    if (this.#isStopped) {
      this.#microphone.close();
      return;
    }
    this.#listener = new Listener(
      { detects: this.#microphone.detects, asked: this.#asked },
      { ...this.#on, speech: () => this.#heardSpeech(), end: (trouble) => this.#end(trouble) },
    );
    this.#listener.connect();
    this.#microphone.start();
    this.#on.listening();
    this.#awaitSpeech();
  }

  /** Listen no more; what was said is still answered. Called again, that is given up, too. */
  async stop() {
    if (this.#isStopped) {
      this.#listener?.abort(null);
      return;
    }
    this.#isStopped = true;
    this.#clearTimers();
    if (!this.#listener) {
      this.#on.end(null); // the microphone is still being asked for
      return;
    }
    this.#on.stopping();
    await this.#microphone.close();
    this.#listener.finish();
  }

  #hear(level, given) {
    if (level !== undefined) this.#on.level(level);
    for (const { type, frame } of given) {
      if (type === "started") this.#heardSpeech();
      if (type === "audio") this.#listener.send(frame);
      if (type === "ended") this.#listener.endUtterance();
    }
  }

  #heardSpeech() {
    this.#hasSpoken = true;
    this.#clearTimers();
    if (!this.#isStopped) this.#awaitSpeech();
    this.#on.speech();
  }

  #awaitSpeech() {
    if (!this.#hasSpoken) this.#timers.push(setTimeout(() => this.#on.quiet(), 1000 * QUIET_SECONDS));
    this.#timers.push(setTimeout(() => this.stop(), 1000 * PATIENCE_SECONDS));
  }

  #clearTimers() {
    this.#timers.forEach(clearTimeout);
    this.#timers = [];
  }

  #fail(trouble) {
    if (this.#listener) this.#listener.abort(trouble);
    else this.#end(trouble);
  }

  #end(trouble) {
    this.#clearTimers();
    if (!this.#isStopped) this.#microphone.close();
    const isSilent = this.#isStopped && !this.#hasSpoken && !trouble;
    this.#isStopped = true;
    this.#on.end(isSilent ? new Trouble("no-speech") : trouble);
  }
}
