// All about one agent.

import * as api from "./api.js";
import { el, show } from "./dom.js";
import { needOf } from "./mesh.js";
import { Pager } from "./pager.js";
import { agentLink, badge, health, nothing, panel, row, table } from "./parts.js";
import { ago, foreign, safe, safeLines } from "./text.js";

export function agentView(app) {
  const node = el("div", { class: "agent" });
  let id = null;
  let asked = 0;

  /** Show an agent: what the listing says at once, and the rest when it is there. */
  async function open(wanted) {
    id = wanted;
    show(node, back(), el("p", { class: "note" }, "asking the registry …"));
    await update();
  }

  async function update() {
    if (id === null) return;
    const turn = ++asked;
    const listed = app.mesh.byId.get(id);
    let told;
    try {
      told = await api.agent(id);
    } catch (error) {
      told = { ...listed, error };
    }
    // Another one was opened, or this one has changed again.
    if (turn !== asked) return;
    if (told.id === undefined) show(node, back(), missing(id, app.state));
    else draw({ ...listed, ...told });
  }

  function draw(told) {
    const open = new Set([...node.querySelectorAll("details[open]")].map((one) => one.dataset.key));
    show(node, back(), facts(told), needsPanel(told, app), served(told.id, app), offersPanel(told));
    for (const one of node.querySelectorAll("details")) one.open = open.has(one.dataset.key);
  }

  return { node, update, open };
}

const back = () => el("p", {}, el("a", { href: "#/agents", "data-key": "back" }, "← all agents"));

function missing(id, state) {
  const why = state === "connected" ? "is not known to the registry." : "cannot be asked for now.";
  return el("p", { class: "note" }, "Agent ", foreign(id), ` ${why}`);
}

function facts(told) {
  const list = el("dl");
  const add = (name, value) => {
    if (value) list.append(el("dt", {}, safe(name, 60)), el("dd", {}, value));
  };
  const code = (text) => text && el("span", { class: "code" }, foreign(text, 300));
  add("id", code(told.id));
  add("type", [told.agent_type, told.runtime].filter(Boolean).join(", "));
  add("version", told.version && foreign(told.version));
  add("namespace", foreign(told.namespace));
  // Shown, not linked: it may be an address of any scheme.
  add("endpoint", code(told.endpoint));
  add("last seen", told.leased === false ? "imported: gives no signs of life" : ago(told.last_seen));
  add("registered", ago(told.created_at));
  add("source", told.source && foreign(told.source));
  add("tags", told.tags?.length && foreign(told.tags.join(", "), 300));
  for (const [name, value] of Object.entries(told.labels ?? {})) add(name, foreign(value));
  if (told.error) list.append(el("dt", {}, "incomplete"), el("dd", {}, safe(told.error.message)));
  return el(
    "section",
    { class: "panel" },
    el("h2", {}, foreign(told.name || told.id), " ", health({ ...told, healthy: told.status === "healthy" })),
    told.description && el("p", { class: "text" }, el("bdi", {}, safeLines(told.description))),
    list,
  );
}

function needsPanel(told, app) {
  const needs = ["dependency_resolutions", "llm_tool_resolutions", "llm_provider_resolutions"]
    .flatMap((kind) => told[kind] ?? [])
    .map(needOf);
  if (!needs.length) return null;
  return paged("Needs", ["Tool", "Needs", "State", "Served by"], needs, "dependency", (need) =>
    row(
      ["Tool", el("span", { class: "code" }, foreign(need.function, 60))],
      ["Needs", foreign(need.wanted, 80)],
      ["State", badge(need.status, need.served ? "ok" : "bad")],
      ["Served by", provider(need, app)],
    ),
  );
}

function provider(need, app) {
  if (!need.provider) return "nobody";
  const name = app.mesh.byId.has(need.provider)
    ? agentLink(need.provider)
    : foreign(need.provider, 60);
  return el("span", {}, name, " ", el("small", { class: "code" }, foreign(need.endpoint, 80)));
}

function served(id, app) {
  const wires = app.mesh.wires.filter((wire) => wire.to.id === id);
  if (!wires.length) return null;
  return paged("Serves", ["Agent", "Tool", "With"], wires, "dependency", ({ from, need }) =>
    row(
      ["Agent", agentLink(from.id)],
      ["Tool", el("span", { class: "code" }, foreign(need.function, 60))],
      ["With", foreign(need.wanted, 80)],
    ),
  );
}

function paged(title, headers, items, one, made) {
  const { node, body } = table(title, headers);
  const empty = () => nothing("None.", headers.length);
  const more = one.replace(/y$/, "ies");
  const pager = new Pager(body, { size: 20, row: made, one, more, empty });
  pager.set(items);
  return panel(title, pager.controls, node);
}

function offersPanel(told) {
  const declared = new Map((told.tools ?? []).map((tool) => [tool.function_name, tool]));
  const offers = (told.capabilities ?? []).map((offer) => ({
    ...declared.get(offer.function_name),
    ...offer,
  }));
  const list = el("div");
  const pager = new Pager(list, {
    size: 50,
    row: tool,
    one: "tool",
    empty: () => el("p", { class: "note" }, "It offers nothing."),
  });
  pager.set(offers);
  return panel("Offers", pager.controls, list);
}

function tool(offer) {
  const schema = el("pre", { tabindex: "0" });
  const summary = el(
    "summary",
    {},
    el("strong", {}, foreign(offer.name, 80)),
    " ",
    el("small", {}, foreign(offer.version, 20)),
    offer.available === false && badge("unavailable", "bad"),
    offer.description && el("span", { class: "text" }, foreign(offer.description, 160)),
  );
  const details = el("details", { "data-key": offer.function_name }, summary);
  details.addEventListener("toggle", () => {
    // Schemas are long: they are written when somebody looks.
    schema.textContent ||= safeLines(JSON.stringify(offer.inputSchema ?? null, null, 2), 50_000);
  });
  details.append(
    el(
      "dl",
      {},
      fact("function", offer.function_name),
      fact("tags", offer.tags?.join(", ")),
      fact("not available", offer.unavailable_reason),
    ),
    offer.description && el("p", { class: "text" }, el("bdi", {}, safeLines(offer.description))),
    el("p", {}, "Takes"),
    schema,
  );
  return details;
}

const fact = (name, value) =>
  value ? [el("dt", {}, name), el("dd", {}, foreign(value, 300))] : null;
