/**
 * One connection to v1/listen, kept up over dropped networks: speech in, words and results out.
 *
 * The protocol is described in server/live/protocol.py. What has no final yet is kept, and sent again over a new
 * connection if the old one broke: no utterance is lost, none answered twice. Where the page finds the speech itself,
 * it keeps utterances; where the server does, it keeps all sound since the last final, but of silence only the end.
 */

import { FRAME_SECONDS } from "../audio/frames.js";
import { fitsWebSocket, subprotocols } from "../key.js";
import { Trouble } from "../trouble.js";

const RETRY_SECONDS = [0.5, 1, 2, 4, 8, 8]; // then it is given up
const BUSY_SECONDS = 2; // that a server which said so is given at least
const KEEP_ALIVE_SECONDS = 5;
const MOST_FRAMES = 3000; // a minute, which is kept for a server that does not answer
const CONTEXT_SECONDS = 5; // kept of silence: the server may not have told yet that speech has begun in it
// Of its frames so many are `sent`, after `released` others of this connection; `started` in it are not answered.
const UNSENT = { sent: 0, released: 0, started: 0, isFinalized: false };

export class Listener {
  #params;
  #on;
  #detects;
  #utterances = []; // not answered; one without end where the server finds them: see #begin
  #socket = null;
  #isReady = false;
  #isFinishing = false;
  #attempts = 0;
  #error = null;
  #timer = null;
  #keepAlive = null;

  /**
   * `detects`: the page finds the speech, and calls `endUtterance`. `asked` are the search's parameters. `on` has the callbacks `ready()`, `speech()` where
   * the server hears somebody begin, `results(message)`, `failed(message)` where the server could not answer an utterance, `waiting(cause)` before
   * another try to connect, and `end(trouble)`, with null when all has been answered.
   */
  constructor({ detects, asked }, on) {
    const endpointing = detects ? { endpointing: "false" } : { vad_events: "true" };
    this.#params = new URLSearchParams({ sample_rate: 16_000, interim_results: "true", ...asked, ...endpointing });
    this.#detects = detects;
    this.#on = on;
  }

  connect() {
    if (!fitsWebSocket()) {
      this.#end(new Trouble("refused", "The key has characters that browsers can’t send here. Typing works with it."));
      return;
    }
    const address = new URL("v1/listen", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    address.search = this.#params;
    this.#error = null;
    this.#socket = new WebSocket(address, subprotocols());
    this.#socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.#socket.onclose = ({ code }) => this.#closed(code);
  }

  /** Send a frame of the open utterance. */
  send(frame) {
    const open = this.#open() ?? this.#begin();
    open.frames.push(frame);
    this.#transmit();
    if (!this.#detects && !open.started) this.#release((open.released + open.sent) * FRAME_SECONDS - CONTEXT_SECONDS);
    this.#bound();
  }

  /** The utterance is over. */
  endUtterance() {
    const open = this.#open();
    if (open) open.isEnded = true;
    this.#transmit();
  }

  /** There will be no more speech: end once all has been answered. */
  finish() {
    if (this.#detects) this.endUtterance();
    this.#isFinishing = true;
    if (this.#isReady) this.#closeStream();
    else if (!this.#utterances.length) this.#end(null);
  }

  /** Give up what is not answered. */
  abort(trouble) {
    this.#end(trouble);
  }

  #open() {
    const last = this.#utterances.at(-1);
    return last && !last.isEnded ? last : null;
  }

  #begin() {
    this.#utterances.push({ frames: [], isEnded: false, ...UNSENT });
    return this.#utterances.at(-1);
  }

  /** Where the server finds the speech: what lies before this time of the connection is not needed any more. */
  #release(seconds) {
    const [stream] = this.#utterances;
    const count = Math.max(0, Math.min(stream.sent, Math.round(seconds / FRAME_SECONDS) - stream.released));
    stream.frames.splice(0, count);
    stream.sent -= count;
    stream.released += count;
  }

  #transmit() {
    if (!this.#isReady) return;
    for (const utterance of this.#utterances) {
      utterance.frames.slice(utterance.sent).forEach((frame) => this.#socket.send(frame));
      utterance.sent = utterance.frames.length;
      if (utterance.isEnded && !utterance.isFinalized) this.#say("Finalize");
      utterance.isFinalized = utterance.isEnded;
    }
  }

  /** Give up where a server does not answer. */
  #bound() {
    const frames = this.#utterances.reduce((sum, utterance) => sum + utterance.frames.length, 0);
    if (frames > MOST_FRAMES) this.#end(new Trouble(this.#isReady ? "busy" : "gone"));
  }

  #say(type) {
    this.#socket.send(JSON.stringify({ type }));
  }

  #closeStream() {
    this.#transmit();
    this.#say("CloseStream");
  }

  #receive(message) {
    if (message.type === "Metadata" && !this.#isReady) this.#begun();
    if (message.type === "Error") {
      this.#error = message.error;
      if (this.#isReady) this.#on.failed(message.error.message);
    }
    if (message.cut_off) return; // the server is going down: the next connection hears it whole
    if (message.type === "Results") {
      if (message.is_final) this.#answered(message);
      this.#on.results(message);
    }
    if (message.type === "SpeechStarted") {
      this.#utterances[0].started++;
      this.#on.speech();
    }
  }

  #answered({ from_finalize, start, duration }) {
    if (from_finalize) this.#utterances.shift();
    if (this.#detects) return;
    this.#utterances[0].started--;
    this.#release(start + duration);
  }

  #begun() {
    this.#isReady = true;
    this.#attempts = 0;
    this.#keepAlive = setInterval(() => this.#say("KeepAlive"), 1000 * KEEP_ALIVE_SECONDS);
    this.#on.ready();
    this.#transmit();
    if (this.#isFinishing) this.#closeStream();
  }

  #closed(code) {
    clearInterval(this.#keepAlive);
    this.#isReady = false;
    for (const utterance of this.#utterances) Object.assign(utterance, UNSENT);
    if (code === 1000 || (this.#isFinishing && !this.#utterances.length)) this.#end(null);
    else if (code === 1008) this.#end(this.#refusal());
    else this.#retry(code === 1013 ? "busy" : navigator.onLine ? "gone" : "offline");
  }

  #refusal() {
    if (this.#error?.code === "invalid_api_key") return new Trouble("key");
    return new Trouble("refused", this.#error?.message);
  }

  #retry(cause) {
    if (this.#attempts === RETRY_SECONDS.length) {
      this.#end(new Trouble(cause));
      return;
    }
    const seconds = Math.max(RETRY_SECONDS[this.#attempts++], cause === "busy" ? BUSY_SECONDS : 0);
    this.#on.waiting(cause);
    this.#timer = setTimeout(() => this.connect(), 1000 * seconds);
  }

  #end(trouble) {
    clearTimeout(this.#timer);
    clearInterval(this.#keepAlive);
    this.#isReady = false;
    if (this.#socket) this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket?.close();
    this.#on.end(trouble);
  }
}
