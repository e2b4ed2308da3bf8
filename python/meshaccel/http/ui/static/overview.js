// The first thing to see: counts, charts, what is wrong, what happened last.

import { unmetPanel } from "./capabilities.js";
import { changesPanel } from "./changes.js";
import { el, show } from "./dom.js";
import { nothing, panel, row, table } from "./parts.js";
import { sparkline } from "./sparkline.js";
import { foreign, number } from "./text.js";

export function overviewView(app) {
  const tiles = el("div", { class: "tiles" });
  const charts = el("div", { class: "charts" });
  const routes = table("Requests", ["Route", "Count", "Errors", "p50", "p99"]);
  routes.node.classList.add("compact");
  const unmet = unmetPanel(app);
  const changes = changesPanel(app, 10, "Latest changes");
  const node = el(
    "div",
    { class: "overview" },
    tiles,
    panel("Figures of the last ten minutes", charts),
    el("div", { class: "columns" }, unmet.node, changes.node),
    panel("Requests", routes.node),
  );

  function update() {
    const { agents, healthy, capabilities, needs, unmet: missing, wires } = app.mesh;
    const ailing = agents.length - healthy;
    show(
      tiles,
      tile("Agents", agents.length, "#/agents", ailing ? `${ailing} unhealthy` : "all healthy", ailing),
      tile("Capabilities", capabilities.length, "#/capabilities", "offered or needed"),
      tile("Wires", wires.length, "#/wiring", `${needs - missing.length} of ${needs} needs served`),
      tile("Unmet needs", missing.length, "#/capabilities", missing.length ? "not served now" : "none", missing.length),
    );
    unmet.update();
    changes.update();
    measured();
  }

  /** Show the figures anew. */
  function measured() {
    show(charts, app.metrics.charts().map(sparkline));
    const asked = (app.metrics.latest?.requests ?? []).slice()
      .sort((one, other) => other.count - one.count);
    show(routes.body, asked.length ? asked.map(route) : nothing("Nothing measured yet.", 5));
  }

  return { node, update, measured, logged: changes.update };
}

function tile(title, value, href, about, isBad) {
  return el(
    "a",
    { class: `tile ${isBad ? "bad" : ""}`, href, "data-key": title },
    el("span", {}, title),
    el("strong", {}, value.toLocaleString("en")),
    el("small", {}, about),
  );
}

function route(told) {
  const ms = (value) => (Number.isFinite(value) ? `${number(value)} ms` : "–");
  return row(
    ["Route", el("span", { class: "code" }, foreign(`${told.method ?? ""} ${told.route ?? ""}`, 80))],
    ["Count", number(told.count ?? 0)],
    ["Errors", number(told.errors ?? 0)],
    ["p50", ms(told.p50_ms)],
    ["p99", ms(told.p99_ms)],
  );
}
