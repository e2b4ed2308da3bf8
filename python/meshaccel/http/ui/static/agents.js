// The table of agents: search, filter, sort; a click on one shows all of it.

import { el } from "./dom.js";
import { Pager } from "./pager.js";
import { agentLink, badge, choice, health, nothing, row, search, table } from "./parts.js";
import { count, foreign, safe } from "./text.js";

const COLUMNS = {
  Agent: (agent) => agent.name.toLowerCase(),
  Health: (agent) => (agent.healthy ? 1 : 0),
  Needs: (agent) => (agent.unmet ? -agent.unmet : agent.needs.length || 1e9),
  Offers: (agent) => -agent.capabilities.length,
  Namespace: (agent) => agent.namespace,
  Endpoint: (agent) => agent.endpoint,
};
const KINDS = ["all agents", "healthy", "unhealthy", "with unmet needs"];
const MEETS = {
  healthy: (agent) => agent.healthy,
  unhealthy: (agent) => !agent.healthy,
  "with unmet needs": (agent) => agent.unmet > 0,
};

export function agentsView(app) {
  let sought = "";
  let kind = KINDS[0];
  let sorted = { column: "Agent", sign: 1 };
  const { node: list, body, heads } = table("Agents", []);
  const input = search("Search agents and capabilities", (text) => {
    sought = text;
    update();
    pager.first();
  });
  const health = choice("Which agents", KINDS, (word) => {
    kind = word;
    update();
    pager.first();
  });
  const pager = new Pager(body, {
    size: 50,
    row: agentRow,
    one: "agent",
    empty: () => nothing(app.mesh.agents.length ? "No agent is like that." : "No agents yet.", 6),
  });
  for (const column of Object.keys(COLUMNS)) heads.push(heading(column));
  list.tHead.rows[0].append(...heads);

  function heading(column) {
    const button = el("button", { type: "button", click: () => sortBy(column) }, column);
    return el("th", { scope: "col" }, button);
  }

  function sortBy(column) {
    sorted = { column, sign: sorted.column === column ? -sorted.sign : 1 };
    update();
    pager.first();
  }

  function update() {
    const meets = MEETS[kind] ?? (() => true);
    const found = app.mesh.agents.filter((one) => meets(one) && one.haystack.includes(sought));
    const key = COLUMNS[sorted.column];
    const keyed = found.map((agent) => [key(agent), agent]);
    keyed.sort(([one, a], [other, b]) => {
      if (one !== other) return one < other ? -sorted.sign : sorted.sign;
      return a.id < b.id ? -1 : 1;
    });
    pager.set(keyed.map(([, agent]) => agent));
    heads.forEach((head, at) => {
      const order = sorted.sign > 0 ? "ascending" : "descending";
      if (Object.keys(COLUMNS)[at] === sorted.column) head.setAttribute("aria-sort", order);
      else head.removeAttribute("aria-sort");
    });
  }

  function open(query) {
    if (!query.has("q")) return;
    input.value = query.get("q");
    sought = input.value.trim().toLowerCase();
    update();
    pager.first();
  }

  const tools = el("div", { class: "tools" }, input, health, pager.controls);
  return { node: el("section", { class: "panel" }, tools, list), update, open };
}

function agentRow(agent) {
  const line = row(
    ["Agent", agentLink(agent.id, agent.name), el("small", {}, foreign(agent.id, 60))],
    ["Health", health(agent)],
    ["Needs", needs(agent)],
    ["Offers", offers(agent)],
    ["Namespace", foreign(agent.namespace, 40)],
    ["Endpoint", el("span", { class: "code" }, foreign(agent.endpoint, 60))],
  );
  line.dataset.agent = agent.id;
  return line;
}

function needs({ needs: all, unmet }) {
  if (!all.length) return "–";
  const served = `${all.length - unmet} of ${all.length} served`;
  return unmet ? badge(served, "bad") : served;
}

function offers({ capabilities }) {
  if (!capabilities.length) return "–";
  const named = capabilities.slice(0, 3).map((one) => safe(one.name, 30)).join(", ");
  const others = capabilities.length - 3;
  return el("bdi", {}, others > 0 ? `${named} and ${count(others, "other")}` : named);
}
