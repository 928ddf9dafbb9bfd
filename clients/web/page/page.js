/** The page: its states, and what it shows in each. */

import { onPress } from "./button.js";
import { chosen, offerCatalogues, onChoice } from "./catalogues.js";
import { askForKey } from "./key_dialog.js";
import { Meter } from "./meter.js";
import { prepare } from "../audio/microphone.js";
import { items } from "./results.js";
import { search } from "./search.js";
import { Session } from "../live/session.js";
import { Transcript } from "./transcript.js";
import { Trouble, TROUBLES } from "../trouble.js";

const LIMIT = 10;
const MOST_EARLIER = 6;
const BARS = 28;
const STATUS = {
  idle: "Tap and speak, or hold",
  starting: "Asking for the microphone…",
  listening: "Listening. Tap to stop",
  finishing: "Finding…",
};
const WAITING = {
  busy: "The server is busy. Trying again…",
  gone: "The server is gone. Trying again…",
  offline: "You’re offline. Trying again…",
};

const byId = (id) => document.getElementById(id);
const talk = byId("talk");
const query = byId("query");
const notice = byId("notice");
const meter = new Meter(byId("meter"), BARS);
const transcript = new Transcript(byId("words"), byId("stable"), byId("open"));

let session = null;
let retry = null; // what the notice's button does
let typed = new AbortController(); // of the typed search that is on
let shown = null; // {query, results, took}
let earlier = [];

function enter(state) {
  document.body.dataset.state = state;
  const isOn = state === "starting" || state === "listening";
  talk.setAttribute("aria-pressed", String(isOn));
  talk.setAttribute("aria-label", isOn ? "Stop listening" : "Speak");
  say(STATUS[state]);
}

function say(text) {
  byId("status").textContent = text;
}

function complain({ cause, message }) {
  const { title, advice, retry: label } = TROUBLES[cause];
  const [heading, text, button] = notice.children;
  heading.textContent = title;
  text.textContent = message || advice;
  button.textContent = label ?? "";
  button.hidden = !label;
  notice.hidden = false;
}

function forgive() {
  notice.hidden = true;
}

function show(found) {
  shown = found;
  byId("invitation").hidden = true;
  document.body.dataset.words = "there";
  byId("results").replaceChildren(...items(found.results, found.query));
  byId("caption").textContent = captionOf(found);
  byId("found").hidden = false;
  document.body.dataset.view = "found";
  showEarlier();
  scrollTo({ top: 0 });
}

function captionOf({ query, results, took }) {
  if (!results.length) return `Nothing found for “${query}”`;
  const count = results.length === 1 ? "1 result" : `${results.length} results`;
  const taken = results[0].match === "text" ? "" : ` for “${query}”`; // which is not what was heard
  return `${count}${taken} in ${Math.max(1, Math.round(took))} ms`;
}

/** Put what was shown until now among the earlier searches. */
function remember() {
  if (!shown) return;
  earlier = [shown, ...earlier.filter(({ query }) => query !== shown.query)].slice(0, MOST_EARLIER);
}

function showEarlier() {
  const others = earlier.filter(({ query }) => query !== shown.query);
  byId("earlier").hidden = !others.length;
  byId("earlier").lastElementChild.replaceChildren(...others.map(earlierItem));
}

function earlierItem(found) {
  const item = document.createElement("li");
  const button = item.appendChild(document.createElement("button"));
  button.type = "button";
  button.textContent = found.query;
  button.addEventListener("click", () => {
    remember();
    transcript.final(found.said);
    query.value = found.said;
    show(found);
  });
  return item;
}

/** Speak. */

function listen() {
  if (session) return;
  typed.abort();
  forgive();
  retry = listen;
  enter("starting");
  const own = new Session({ limit: LIMIT, ...chosen() }, {
    listening: () => enter("listening"),
    level: (dbfs) => meter.push(dbfs),
    speech: () => {
      forgive();
      say(STATUS[document.body.dataset.state]);
      byId("invitation").hidden = true;
      document.body.dataset.words = "coming";
      transcript.next();
    },
    quiet: () => complain({ cause: "quiet" }),
    results: heard,
    failed: (message) => complain({ cause: "failed", message }),
    waiting: (cause) => say(WAITING[cause]),
    ready: () => say(STATUS[document.body.dataset.state]),
    stopping: () => enter("finishing"),
    end: (trouble) => {
      if (session === own) ended(trouble);
    },
  });
  session = own;
  session.start();
}

function ended(trouble) {
  session = null;
  meter.clear();
  transcript.settle();
  document.body.dataset.words = "there";
  enter("idle");
  if (trouble) suffer(trouble);
}

function heard(message) {
  const text = message.channel.alternatives[0].transcript;
  if (!message.is_final) {
    transcript.interim(text, message.stable ?? "");
    return;
  }
  const said = transcript.final(text, message.speech_final);
  if (!message.speech_final) return;
  if (message.unsure) ask(said);
  else if (message.search && said) answered(said, message);
  else if (message.search) complain({ cause: "no-words" });
}

/** Whether that was said: it may be mended and searched for. */
function ask(said) {
  query.value = said;
  complain({ cause: "unsure" });
}

function answered(said, { search: found, timings }) {
  forgive();
  remember();
  query.value = said;
  const { queue_ms, encode_ms, decode_ms, search_ms } = timings;
  show({ ...found, said, took: queue_ms + encode_ms + decode_ms + search_ms });
  announce();
}

/** Tell who cannot see it. */
function announce() {
  const [first] = shown.results;
  byId("announcement").textContent = `${shown.said}: ${first ? `${first.title}. ${first.body}` : "nothing found"}`;
}

/** Type. */

async function type() {
  const text = query.value.trim();
  if (!text) return;
  session?.stop();
  typed.abort();
  typed = new AbortController();
  retry = type;
  forgive();
  say("Searching…");
  try {
    const { signal } = typed;
    const { query: asked, results, timings } = await search(text, { limit: LIMIT, ...chosen() }, signal);
    remember();
    transcript.final(text);
    show({ query: asked, results, said: text, took: timings.total_ms });
    announce();
    say(STATUS[document.body.dataset.state]);
  } catch (error) {
    if (error.name === "AbortError") return;
    say(STATUS[document.body.dataset.state]);
    suffer(error instanceof Trouble ? error : new Trouble("refused", String(error)));
  }
}

/** What may go wrong. */

async function suffer(trouble) {
  if (trouble.cause !== "key") complain(trouble);
  else if (await askForKey()) {
    offerCatalogues();
    retry();
  } else complain(trouble);
}

notice.querySelector("button").addEventListener("click", () => retry?.());
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  query.blur(); // a phone's keyboard makes room for the results
  type();
});
onChoice(() => query.value.trim() && type());
onPress(talk, { isOn: () => session !== null, start: listen, stop: () => session?.stop() });
addEventListener("keydown", ({ key }) => key === "Escape" && session?.stop());
// Who looks at something else does not speak to this page.
document.addEventListener("visibilitychange", () => document.hidden && session?.stop());

offerCatalogues();
byId("privacy").hidden = !(await prepare());
