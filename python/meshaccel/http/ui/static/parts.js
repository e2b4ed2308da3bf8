// What several views show alike.

import { el } from "./dom.js";
import { foreign, safe } from "./text.js";

export const agentAddress = (id) => `#/agents/${encodeURIComponent(id)}`;
export const searchAddress = (text) => `#/agents?q=${encodeURIComponent(text)}`;

/** Return a link to an agent, with its id or another text. */
export function agentLink(id, text = id, limit = 60) {
  return el("a", { href: agentAddress(id), "data-key": id }, foreign(text, limit));
}

/** Return a word with the colour of how well something is. */
export function badge(text, kind) {
  return el("span", { class: `badge ${kind}` }, safe(text, 30));
}

export const health = (agent) => badge(agent.status, agent.healthy ? "ok" : "bad");

/** Return a row of a table that is a card on a narrow screen, from pairs of a header and content. */
export function row(...cells) {
  const made = cells.map(([header, ...content]) =>
    el("td", { "data-header": header }, el("div", {}, ...content)),
  );
  return el("tr", {}, ...made);
}

/** Return a table, its body, and its headers. */
export function table(label, headers) {
  const heads = headers.map((name) => el("th", { scope: "col" }, name));
  const body = el("tbody");
  const node = el(
    "table",
    { "aria-label": label },
    el("thead", {}, el("tr", {}, ...heads)),
    body,
  );
  return { node, body, heads };
}

/** Return the row of a table that has none. */
export function nothing(text, columns) {
  return el("tr", { class: "empty" }, el("td", { colspan: columns }, text));
}

/** Return a section with a title. */
export function panel(title, ...content) {
  return el("section", { class: "panel" }, el("h2", {}, title), ...content);
}

/** Return a field to search with, which calls back with what it holds, in lower case. */
export function search(label, changed) {
  const input = el("input", {
    type: "search",
    placeholder: label,
    "aria-label": label,
    autocomplete: "off",
    spellcheck: "false",
    input: () => changed(input.value.trim().toLowerCase()),
  });
  return input;
}

/** Return a choice of one of some words, which calls back with it. */
export function choice(label, words, changed) {
  const options = words.map((word) => el("option", { value: word }, word));
  const properties = { "aria-label": label, change: () => changed(select.value) };
  const select = el("select", properties, ...options);
  return select;
}

/** Return links to some agents, and how many others there are. */
export function someAgents(agents, more, most = 4) {
  const links = agents.slice(0, most).flatMap(({ id }, at) => [at ? ", " : "", agentLink(id, id, 40)]);
  const others = agents.length - most;
  if (others > 0) links.push(" and ", el("a", { href: more }, `${others} more`));
  return links.length ? links : ["–"];
}
