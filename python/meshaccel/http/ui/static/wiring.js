// The graph of who is wired to whom.

import { el, show, svg } from "./dom.js";
import { edgeKey, layered } from "./layout.js";
import { PanZoom } from "./panzoom.js";
import { agentLink, badge, search, searchAddress, someAgents } from "./parts.js";
import { MOST_NODES, wiringOf } from "./services.js";
import { count, foreign, safe } from "./text.js";

const CELL = { width: 230, height: 54 };
const NODE = { width: 160, height: 34 };
const MARGIN = 24;
const LETTERS = 20;
const MANY_EDGES = 150; // from which on they are drawn faintly

export function wiringView(app) {
  const drawing = svg("svg", {
    class: "graph",
    role: "group",
    tabindex: "0",
    "aria-label": "Wiring: arrows lead from who needs to who serves",
  });
  const view = new PanZoom(drawing);
  const note = el("p", { class: "note" });
  const about = el("div", { class: "about", "aria-live": "polite" });
  let wiring = { nodes: [], edges: [], left: 0 };
  let drawn = "";
  let selected = null;
  let places = new Map();

  function update() {
    wiring = wiringOf(app.mesh);
    show(note, remarks());
    drawing.toggleAttribute("hidden", !wiring.nodes.length);
    const shape = JSON.stringify([wiring.nodes.map((one) => one.id), wiring.edges.map(ends)]);
    const laid = layered(wiring.nodes.map((one) => one.id), wiring.edges.map(ends));
    places = laid.places;
    draw(laid.bends);
    // What is only shown differently leaves the eye where it is.
    if (shape !== drawn) view.fit(extent(places));
    drawn = shape;
    select(wiring.nodes.some((one) => one.id === selected) ? selected : null);
  }

  function remarks() {
    if (!wiring.nodes.length) return "No agent needs another one: there is nothing to draw.";
    const hint = "Drag to move, Ctrl and wheel or two fingers to zoom.";
    const loose = app.mesh.agents.length - wiring.nodes.reduce((sum, one) => sum + one.agents.size, 0);
    const parts = [
      wiring.left && `Drawn are the ${MOST_NODES} with the most wires; ${count(wiring.left, "other is", "others are")} not.`,
      !wiring.left && loose > 0 && `${count(loose, "agent without wires is", "agents without wires are")} not drawn.`,
      hint,
    ];
    return parts.filter(Boolean).join(" ");
  }

  function draw(bends) {
    drawing.classList.toggle("dense", wiring.edges.length > MANY_EDGES);
    const edges = wiring.edges.map((edge) => {
      const label = `${name(edge.from)} needs ${[...edge.capabilities].join(", ")} of ${name(edge.to)}`;
      const path = svg(
        "path",
        {
          class: edge.served ? "edge" : "edge unmet",
          d: curve(at(edge.from), (bends.get(edgeKey(...ends(edge))) ?? []).map(drawnAt), at(edge.to)),
        },
        svg("title", {}, safe(label, 300)),
      );
      path.dataset.from = edge.from;
      path.dataset.to = edge.to;
      return path;
    });
    show(drawing, ...edges, ...wiring.nodes.map((one) => box(one, at(one.id))));
  }

  const at = (id) => drawnAt(places.get(id));
  const name = (id) => safe(wiring.nodes.find((one) => one.id === id)?.name, 40);

  function box(one, { x, y }) {
    const choose = () => select(selected === one.id ? null : one.id);
    const replicas = one.agents.size > 1 ? ` ×${one.agents.size}` : "";
    const text = svg("text", { x: NODE.width / 2, y: NODE.height / 2 }, safe(one.name, LETTERS) + replicas);
    const made = svg(
      "g",
      {
        class: `node ${one.kind} ${one.healthy ? "" : "ailing"}`,
        transform: `translate(${x} ${y})`,
        role: "button",
        tabindex: "0",
        "aria-pressed": "false",
        "data-key": one.id,
        click: choose,
        keydown: (event) => {
          if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            choose();
          }
        },
      },
      svg("title", {}, safe(one.name, 200)),
      svg("rect", { width: NODE.width, height: NODE.height, rx: 8 }),
      text,
    );
    return made;
  }

  function select(id) {
    selected = id;
    const near = new Set(id === null ? [] : [id]);
    for (const edge of wiring.edges) {
      if (edge.from === id) near.add(edge.to);
      if (edge.to === id) near.add(edge.from);
    }
    drawing.classList.toggle("choosing", id !== null);
    for (const node of drawing.querySelectorAll(".node")) {
      node.classList.toggle("near", near.has(node.dataset.key));
      node.setAttribute("aria-pressed", String(node.dataset.key === id));
    }
    for (const edge of drawing.querySelectorAll(".edge")) {
      edge.classList.toggle("near", edge.dataset.from === id || edge.dataset.to === id);
    }
    show(about, describe(id));
  }

  /** Choose the first node of which a text is a part of the name. */
  function find(text) {
    const found = wiring.nodes.filter((one) => text && one.name.toLowerCase().includes(text));
    const best = found.find((one) => one.name.toLowerCase() === text) ?? found[0];
    select(best?.id ?? null);
    if (best) view.centre({ x: at(best.id).x + NODE.width / 2, y: at(best.id).y + NODE.height / 2 });
  }

  function describe(id) {
    const one = wiring.nodes.find((node) => node.id === id);
    if (!one) return el("p", { class: "note" }, "Choose a node to see its wires.");
    const list = (title, edges, end) =>
      edges.length > 0 && [
        el("dt", {}, title),
        ...edges.map((edge) =>
          el("dd", {}, foreign(name(edge[end])), " ", el("small", {}, foreign([...edge.capabilities].join(", ")))),
        ),
      ];
    return [
      el("h2", {}, foreign(one.name, 80), " ", one.kind === "unmet" && badge("unmet", "bad")),
      el(
        "dl",
        {},
        one.agents.size > 0 && [
          el("dt", {}, one.agents.size > 1 ? "agents" : "agent"),
          el("dd", {}, ...(one.agents.size === 1
            ? [agentLink([...one.agents][0].id)]
            : someAgents([...one.agents], searchAddress(one.name), 6))),
        ],
        list("needs", wiring.edges.filter((edge) => edge.from === id), "to"),
        list(one.kind === "unmet" ? "needed by" : "serves", wiring.edges.filter((edge) => edge.to === id), "from"),
      ),
    ];
  }

  const button = (label, sign, act) =>
    el("button", { type: "button", "aria-label": label, title: label, click: act }, sign);
  const controls = el(
    "div",
    { class: "tools" },
    search("Find in the graph", find),
    button("Zoom in", "+", () => view.zoom(1 / 1.4)),
    button("Zoom out", "−", () => view.zoom(1.4)),
    button("Show all", "Show all", () => view.reset()),
    note,
  );
  const node = el("section", { class: "panel wiring" }, controls, el("div", { class: "split" }, drawing, about));
  return { node, update };
}

const drawnAt = ({ x, y }) => ({ x: x * CELL.width, y: y * CELL.height });
const ends = (edge) => [edge.from, edge.to];

/** Return the path from the right side of one node past others to the left side of another. */
function curve(from, bends, to) {
  const middle = NODE.height / 2;
  let x = from.x + NODE.width;
  let y = from.y + middle;
  let path = `M${x} ${y}`;
  const lead = (toX, toY) => {
    const pull = Math.max(36, Math.abs(toX - x) / 2);
    path += `C${x + pull} ${y} ${toX - pull} ${toY} ${toX} ${toY}`;
    [x, y] = [toX, toY];
  };
  for (const bend of bends) {
    lead(bend.x, bend.y + middle);
    x += NODE.width;
    path += `H${x}`;
  }
  lead(to.x, to.y + middle);
  return `${path}m-7 -4.5l7 4.5l-7 4.5`;
}

function extent(places) {
  const all = [...places.values()];
  const size = (key) => Math.max(0, ...all.map((one) => one[key])) * CELL[key === "x" ? "width" : "height"];
  return {
    x: -MARGIN,
    y: -MARGIN,
    width: size("x") + NODE.width + 2 * MARGIN,
    height: size("y") + NODE.height + 2 * MARGIN,
  };
}
