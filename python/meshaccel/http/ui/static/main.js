// The page: one registry, some views of it, and the address that says which is seen.

import { agentView } from "./agent.js";
import { agentsView } from "./agents.js";
import * as api from "./api.js";
import { capabilitiesView } from "./capabilities.js";
import { ChangeLog, changesPanel } from "./changes.js";
import { Connection } from "./connection.js";
import { el, show } from "./dom.js";
import { meshOf } from "./mesh.js";
import { Metrics } from "./metrics.js";
import { overviewView } from "./overview.js";
import { Poller } from "./poller.js";
import { count, duration, safe } from "./text.js";
import { wiringView } from "./wiring.js";

const NAMES = ["overview", "agents", "capabilities", "wiring", "changes"];
const EVENTS = 100;
const EVENTS_MS = 3000;

const main = document.getElementById("main");
const app = {
  mesh: meshOf([]),
  log: new ChangeLog(),
  state: "connecting",
  metrics: new Metrics(() => {
    header();
    shown.measured?.();
  }),
};
const views = {
  overview: overviewView(app),
  agents: agentsView(app),
  agent: agentView(app),
  capabilities: capabilitiesView(app),
  wiring: wiringView(app),
  changes: changesView(),
};
let shown = views.overview;

const connection = new Connection({
  state(name) {
    app.state = name;
    header();
  },
  agents(listed) {
    app.mesh = meshOf(listed);
    header();
    shown.update();
  },
  changes(answer) {
    app.log.note(answer, app.mesh.byId);
    shown.logged?.();
  },
  anew(position, held) {
    if (held) app.log.anew();
    shown.logged?.();
  },
});

function changesView() {
  const panel = changesPanel(app, 300);
  return { ...panel, logged: panel.update };
}

/** Show the view that the address names. */
function go() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id] = path.split("/");
  const asked = id ? "agent" : NAMES.includes(name) ? name : NAMES[0];
  const isOther = views[asked] !== shown || !main.firstChild;
  shown = views[asked];
  if (isOther) show(main, shown.node);
  if (asked === "agent") shown.open(decoded(id));
  else {
    shown.update();
    shown.open?.(new URLSearchParams(query));
  }
  navigation(asked === "agent" ? "agents" : asked);
  if (isOther) window.scrollTo(0, 0);
}

function navigation(current) {
  const link = (name) => {
    const label = name[0].toUpperCase() + name.slice(1);
    const isCurrent = name === current && "page";
    return el("a", { href: `#/${name}`, "data-key": name, "aria-current": isCurrent }, label);
  };
  show(document.getElementById("views"), NAMES.map(link));
}

function header() {
  const pill = document.getElementById("state");
  if (pill.textContent !== app.state) pill.textContent = app.state;
  pill.dataset.state = app.state;
  const { agents, healthy } = app.mesh;
  const latest = app.metrics.latest;
  const parts = [
    `${healthy.toLocaleString("en")} of ${count(agents.length, "agent")} healthy`,
    latest?.version && `version ${safe(latest.version, 20)}`,
    Number.isFinite(latest?.uptime_s) && `up ${duration(latest.uptime_s)}`,
  ];
  document.getElementById("about").textContent = parts.filter(Boolean).join(" · ");
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function recall() {
  let events;
  try {
    events = await api.events(EVENTS);
  } catch {
    return; // the connection shows how it is with the registry
  }
  if (!app.log.recall(events)) return;
  shown.logged?.();
  connection.reload();
}

addEventListener("hashchange", go);
go();
connection.connect();
new Poller(EVENTS_MS, recall).start();
app.metrics.start();
