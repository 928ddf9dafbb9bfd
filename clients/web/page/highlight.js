/** The words of a query, marked in a text. */

const WORD = /[\p{L}\p{N}]+/gu;
const SHORTEST = 3; // letters: "in" and "me" are in every text

/** The text in nodes, those of its words that are in the query as <mark>. Accents and case do not matter. */
export function highlighted(text, query) {
  const wanted = new Set((query.match(WORD) ?? []).map(folded).filter((word) => word.length >= SHORTEST));
  const nodes = [];
  let at = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (!wanted.has(folded(word))) continue;
    nodes.push(text.slice(at, index), marked(word));
    at = index + word.length;
  }
  return [...nodes, text.slice(at)];
}

function folded(word) {
  return word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

function marked(word) {
  const mark = document.createElement("mark");
  mark.textContent = word;
  return mark;
}
