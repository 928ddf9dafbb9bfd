/** The microphone: asks for it, and has the worklet give frames of speech. */

import { SAMPLE_RATE } from "./frames.js";
import { Trouble } from "../trouble.js";

const WASM = new URL("libfvad.wasm", import.meta.url);
const WORKLET = new URL("worklet.js", import.meta.url);
// A phone's own gain helps who speaks from afar; echoes there are none, since the page is silent.
const CONSTRAINTS = { audio: { channelCount: 1, echoCancellation: false, noiseSuppression: true, autoGainControl: true } };
const FLUSH_MILLISECONDS = 500; // should the browser have put the worklet to sleep
const CAUSES = {
  NotAllowedError: "microphone-denied",
  SecurityError: "microphone-denied",
  NotFoundError: "microphone-missing",
  OverconstrainedError: "microphone-missing",
  NotReadableError: "microphone-taken",
  AbortError: "microphone-taken",
};

let wasm = Promise.resolve(null);
let context = null; // a promise of the one with which it is listened; it sleeps in between

/** Fetch all that listening takes, so that it begins at once; whether the page can find speech by itself. */
export async function prepare() {
  if (!window.isSecureContext) return false;
  wasm = fetchWasm();
  context = listeningContext({ sampleRate: SAMPLE_RATE });
  const fetched = await Promise.allSettled([wasm, context]);
  return fetched.every(({ value }) => value);
}

async function fetchWasm() {
  try {
    const response = await fetch(WASM);
    return response.ok ? await response.arrayBuffer() : null;
  } catch {
    return null;
  }
}

async function listeningContext(options) {
  const made = new AudioContext({ latencyHint: "interactive", ...options });
  await made.audioWorklet.addModule(WORKLET);
  return made;
}

/** Whether this browser can hear at all, here. Throws Trouble. */
function check() {
  if (!window.isSecureContext) throw new Trouble("insecure");
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) throw new Trouble("unsupported");
}

/** One use of the microphone: `open`, `start`, `close`. */
export class Microphone {
  /** Whether only speech is given, in utterances; else everything is. Known once it is open. */
  detects = false;
  static #listening = 0; // who uses the context
  #isListening = false;
  #onFrame;
  #onLost;
  #stream;
  #source;
  #node;

  /** `onFrame(level, given)` is called for every 20 ms: see worklet.js. `onLost()`: it was unplugged. */
  constructor(onFrame, onLost) {
    this.#onFrame = onFrame;
    this.#onLost = onLost;
  }

  /** Ask for it. Throws Trouble. */
  async open() {
    check();
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia(CONSTRAINTS);
    } catch (error) {
      throw new Trouble(CAUSES[error.name] ?? "unsupported");
    }
    this.#stream.getTracks().forEach((track) => track.addEventListener("ended", () => this.#onLost()));
    this.#source = await this.#connectable();
    this.#node = new AudioWorkletNode(this.#source.context, "capture", {
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { wasm: await wasm },
    });
    this.detects = (await this.#message()).detects;
  }

  /** Let frames come. */
  start() {
    this.#isListening = true;
    Microphone.#listening++;
    this.#node.port.onmessage = ({ data }) => this.#onFrame(data.level, data.given);
    this.#source.connect(this.#node).connect(this.#source.context.destination); // it is silent; unconnected nodes may sleep
    this.#source.context.resume();
  }

  /** A source of 16 kHz where the browser resamples; else of what the microphone has, and the worklet does. */
  async #connectable() {
    try {
      return (await context).createMediaStreamSource(this.#stream);
    } catch {
      context = listeningContext({});
    }
    try {
      return (await context).createMediaStreamSource(this.#stream);
    } catch {
      throw new Trouble("gone"); // the worklet could not be fetched
    }
  }

  #message() {
    return new Promise((resolve) => {
      this.#node.port.onmessage = ({ data }) => resolve(data);
    });
  }

  /** Gives the last of the speech to `onFrame`, and lets the microphone go. */
  async close() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    if (!this.#isListening) return;
    this.#isListening = false;
    await this.#flush();
    this.#source.disconnect();
    this.#node.disconnect();
    if (--Microphone.#listening === 0) await this.#source.context.suspend();
  }

  #flush() {
    return new Promise((resolve) => {
      this.#node.port.onmessage = ({ data }) => {
        this.#onFrame(data.level, data.given);
        if (data.isLast) resolve();
      };
      this.#node.port.postMessage("flush");
      setTimeout(resolve, FLUSH_MILLISECONDS);
    });
  }
}
