/** What was found, as a list. */

import { highlighted } from "./highlight.js";

const MOST_FIELDS = 3;
const WEB_ADDRESS = /^https?:\/\//;

/** The list's items for results, the words of the query highlighted. */
export function items(results, query) {
  return results.map((result) => item(result, query));
}

function item({ title, body, fields }, query) {
  const parts = [element("h3", highlighted(title, query))];
  if (body) parts.push(element("p", highlighted(body, query)));
  const shown = shownFields(fields, `${title} ${body}`);
  if (shown.length) parts.push(element("dl", shown.map(([name, value]) => field(name, value))));
  return element("li", parts);
}

/** The first few that say something which title and body do not. */
function shownFields(fields, told) {
  return Object.entries(fields)
    .filter(([, value]) => ["string", "number", "boolean"].includes(typeof value) && value !== "")
    .map(([name, value]) => [name, typeof value === "number" ? value.toLocaleString("en") : String(value)])
    .filter(([, value]) => !told.includes(value))
    .slice(0, MOST_FIELDS);
}

function field(name, value) {
  return element("div", [element("dt", [name.replaceAll("_", " ")]), element("dd", [shownValue(value)])]);
}

function shownValue(value) {
  if (!WEB_ADDRESS.test(value) || !URL.canParse(value)) return value;
  const link = element("a", [new URL(value).host]);
  link.href = value;
  link.rel = "noopener noreferrer";
  link.target = "_blank";
  return link;
}

function element(name, children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}
