/** What can go wrong, and what to tell who is in front of it. */

/** An error that `TROUBLES` has words for; `message` is the server's own where it has said more. */
export class Trouble extends Error {
  constructor(cause, message = "") {
    super(message);
    this.name = "Trouble";
    this.cause = cause;
  }
}

/** By cause: a title, advice, and the label of the button that tries again, where that may help. */
export const TROUBLES = {
  insecure: {
    title: "The microphone needs a secure address",
    advice:
      "Browsers give the microphone only to pages opened over https, or on localhost. Ask whoever runs this server " +
      "for its https:// address. Typing works here as it is.",
  },
  unsupported: {
    title: "This browser can’t listen",
    advice: "It doesn’t let pages use the microphone. Try a current Chrome, Edge, Firefox or Safari, or type instead.",
  },
  "microphone-denied": {
    title: "The microphone isn’t allowed",
    advice:
      "Allow it for this page: tap the icon beside the address, choose Microphone, then Allow. Or type what you’re " +
      "looking for.",
    retry: "Try again",
  },
  "microphone-missing": {
    title: "No microphone found",
    advice: "Plug one in or switch it on, then try again. Or type what you’re looking for.",
    retry: "Try again",
  },
  "microphone-taken": {
    title: "The microphone is in use",
    advice: "Another app or tab seems to have it. Close that, then try again.",
    retry: "Try again",
  },
  "microphone-lost": {
    title: "The microphone went away",
    advice: "It was unplugged or switched off. Connect it, then try again.",
    retry: "Try again",
  },
  quiet: {
    title: "I can’t hear you yet",
    advice: "Is the microphone muted, or far away? I’m still listening.",
  },
  "no-speech": {
    title: "I didn’t hear anything",
    advice: "Is the microphone muted, or far away? Try again, a little closer.",
    retry: "Try again",
  },
  unsure: {
    title: "I’m not sure what you said",
    advice: "Please say it again, or correct the words above and search for them.",
  },
  "no-words": {
    title: "I didn’t catch that",
    advice: "There were no words in it that I could make out. Please say it again.",
  },
  busy: {
    title: "The server is busy",
    advice: "It has all the work it can take right now. Try again in a moment.",
    retry: "Try again",
  },
  gone: {
    title: "The server can’t be reached",
    advice: "It may be restarting, or the network is down. Try again in a moment.",
    retry: "Try again",
  },
  offline: {
    title: "You’re offline",
    advice: "Check your connection, then try again.",
    retry: "Try again",
  },
  key: {
    title: "This server needs a key",
    advice: "Whoever runs it can give you one.",
    retry: "Enter the key",
  },
  failed: {
    title: "That went wrong",
    advice: "The server could not answer. Please say it again.",
  },
  refused: {
    title: "The server refused",
    advice: "It gave no reason.",
    retry: "Try again",
  },
};
