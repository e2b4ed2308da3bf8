// What happened: from the stream who came, changed and went; from the audit trail how agents were
// wired anew, which is no change of an agent, and what was before the page was opened.

import { el, show } from "./dom.js";
import { agentLink, badge, panel } from "./parts.js";
import { clock, foreign, safe } from "./text.js";

const MOST = 300;
const KINDS = {
  added: "ok",
  register: "ok",
  healthy: "ok",
  dependency_resolved: "ok",
  changed: "calm",
};

/** Changes, newest first. */
export class ChangeLog {
  entries = [];
  #last = null;

  /** Note what an answer of the change feed says, of agents as they were known before it. */
  note(answer, byId) {
    for (const item of answer.items) {
      const before = byId.get(item.id);
      this.#add({ time: Date.now(), kind: kindOf(item, before), id: item.id, gone: item.op !== "upsert" });
    }
  }

  /** Note that what was known before is not the beginning of what comes now. */
  anew() {
    this.#add({ time: Date.now(), kind: "history began anew", id: null });
  }

  /**
   * Note the newest events of the audit trail, newest first: all of them at first, then the wiring.
   * Return whether there is any.
   */
  recall(events) {
    const known = events.findIndex((event) => JSON.stringify(event) === this.#last);
    const isFirst = this.#last === null;
    const fresh = (known < 0 ? events : events.slice(0, known)).filter(
      (event) => isFirst || event.event_type.startsWith("dependency_"),
    );
    this.#last = events.length ? JSON.stringify(events[0]) : "";
    const entries = fresh.map((event) => ({
      time: Date.parse(event.timestamp),
      kind: event.event_type,
      id: event.agent_id,
      about: wired(event.data ?? {}),
      gone: ["unregister", "expire"].includes(event.event_type),
    }));
    const newestFirst = (one, other) => other.time - one.time;
    this.entries = [...this.entries, ...entries].sort(newestFirst).slice(0, MOST);
    return fresh.length > 0;
  }

  #add(entry) {
    this.entries = [entry, ...this.entries].slice(0, MOST);
  }
}

/** Return a panel with the newest changes. */
export function changesPanel(app, most, title = "Changes") {
  const list = el("ol", { class: "log", role: "log", "aria-label": "Changes, newest first" });
  const update = () => {
    const shown = app.log.entries.slice(0, most).map(line);
    show(list, shown.length ? shown : el("li", { class: "note" }, "Nothing has happened yet."));
  };
  return { node: panel(title, list), update };
}

function line({ time, kind, id, gone, about }) {
  return el(
    "li",
    {},
    el("time", { datetime: new Date(time).toISOString() }, clock(time)),
    badge(kind.replaceAll("_", " "), KINDS[kind] ?? "bad"),
    id === null ? null : gone ? el("bdi", {}, safe(id, 80)) : agentLink(id, id, 80),
    about && el("small", {}, foreign(about, 120)),
  );
}

/** Return what an event says of a dependency. */
function wired({ spec, chosen }) {
  const needs = spec?.capability && `needs ${spec.capability}`;
  return needs && chosen?.agent_id ? `${needs}: ${chosen.agent_id}` : needs;
}

function kindOf(item, before) {
  if (item.op !== "upsert") return "removed";
  if (!before) return "added";
  return before.status === item.status ? "changed" : item.status;
}
