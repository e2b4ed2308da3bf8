// Capabilities: who offers them, who needs them, and whose need is not met.

import { el } from "./dom.js";
import { Pager } from "./pager.js";
import { agentLink, badge, choice, nothing, panel, row, search, searchAddress, someAgents, table } from "./parts.js";
import { count, foreign } from "./text.js";

const KINDS = ["all capabilities", "with unmet needs", "offered, not needed", "needed, not offered"];
const MEETS = {
  "with unmet needs": (one) => one.unmet > 0,
  "offered, not needed": (one) => !one.needs.length,
  "needed, not offered": (one) => !one.offers.length,
};

export function capabilitiesView(app) {
  let sought = "";
  let kind = KINDS[0];
  const { node: list, body } = table("Capabilities", ["Capability", "State", "Offered by", "Needed by"]);
  const pager = new Pager(body, {
    size: 50,
    row: capabilityRow,
    one: "capability",
    more: "capabilities",
    empty: () => nothing("No capability is like that.", 4),
  });
  const changed = () => {
    update();
    pager.first();
  };
  const tools = el(
    "div",
    { class: "tools" },
    search("Search capabilities", (text) => {
      sought = text;
      changed();
    }),
    choice("Which capabilities", KINDS, (word) => {
      kind = word;
      changed();
    }),
    pager.controls,
  );

  function update() {
    const meets = MEETS[kind] ?? (() => true);
    const found = app.mesh.capabilities.filter(
      (one) => meets(one) && one.name.toLowerCase().includes(sought),
    );
    pager.set(found);
  }

  return { node: el("section", { class: "panel" }, tools, list), update };
}

/** Return a panel with the needs that nobody meets, brought up to date by its method `update`. */
export function unmetPanel(app) {
  const { node: list, body } = table("Unmet needs", ["Agent", "Needs", "State"]);
  const pager = new Pager(body, {
    size: 10,
    row: ({ agent, need }) =>
      row(
        ["Agent", agentLink(agent.id, agent.name, 40)],
        ["Needs", foreign(need.wanted, 60)],
        ["State", badge(need.status, "bad")],
      ),
    one: "unmet need",
    empty: () => nothing("Every need is met.", 3),
  });
  const node = panel("Unmet needs", pager.controls, list);
  return { node, update: () => pager.set(app.mesh.unmet) };
}

function capabilityRow(one) {
  const agents = (entries) => [...new Set(entries.map(({ agent }) => agent))];
  const more = searchAddress(one.name);
  const line = row(
    ["Capability", el("strong", {}, foreign(one.name, 80))],
    ["State", state(one)],
    ["Offered by", ...someAgents(agents(one.offers), more)],
    ["Needed by", ...someAgents(agents(one.needs), "#/wiring")],
  );
  line.dataset.capability = one.name;
  return line;
}

function state({ unmet, needs }) {
  if (unmet) return badge(count(unmet, "unmet need"), "bad");
  return needs.length ? badge("served", "ok") : badge("not needed", "calm");
}
