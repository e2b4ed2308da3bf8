// Where the nodes of a graph stand: in layers, consumers left of their providers.
//
// After K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system
// structures" (1981): cycles are broken, layers are longest paths, an edge over several layers
// bends around the nodes between, and the order within a layer follows the mean place of the
// neighbours. What is too large for that is folded instead, and its edges run straight.

const SWEEPS = 8;
const BEND = 0.5; // height of a bend, in nodes

/**
 * Return `{places, bends}`: a place `{x, y}` for each node, in cells, and the places through which
 * an edge goes that has any, by `edgeKey`. `edges` are pairs of nodes, without duplicates.
 * O(sweeps * (n log n + edges)), n nodes and bends; of these there are at most edges * layers.
 */
export function layered(nodes, edges) {
  const forward = withoutCycles(nodes, neighbours(nodes, edges));
  const ranks = ranked(nodes, forward);
  const tallest = Math.max(12, Math.ceil(1.3 * Math.sqrt(nodes.length)));
  const bent = withBends(nodes, edges, ranks);
  const { layers, bends } = bent.layers.every((layer) => tall(layer) <= tallest)
    ? bent
    : { layers: inLayers(nodes, ranks), bends: new Map() };
  const steps = edges.flatMap(([from, to]) => pairs([from, ...(bends.get(edgeKey(from, to)) ?? []), to]));
  const both = steps.concat(steps.map(([from, to]) => [to, from]));
  order(layers, neighbours(layers.flat(), both));
  const places = placed(layers, tallest);
  const routes = [...bends].map(([key, through]) => [key, through.map((bend) => places.get(bend))]);
  return { places, bends: new Map(routes) };
}

export const edgeKey = (from, to) => JSON.stringify([from, to]);

/** Return layers with a new point in each one that an edge passes, and those points by edge. */
function withBends(nodes, edges, ranks) {
  const layers = inLayers(nodes, ranks);
  const bends = new Map();
  for (const [from, to] of edges) {
    const passed = layers.slice(ranks.get(from) + 1, Math.max(0, ranks.get(to)));
    if (passed.length) bends.set(edgeKey(from, to), passed.map(() => ({})));
    passed.forEach((layer, at) => layer.push(bends.get(edgeKey(from, to))[at]));
  }
  return { layers, bends };
}

const pairs = (points) => points.slice(1).map((point, at) => [points[at], point]);

function neighbours(nodes, edges) {
  const next = new Map(nodes.map((node) => [node, []]));
  for (const [from, to] of edges) if (from !== to) next.get(from).push(to);
  return next;
}

/** Return the edges, by their beginning, but those that lead back to where a search is. */
function withoutCycles(nodes, next) {
  const forward = new Map(nodes.map((node) => [node, []]));
  const state = new Map();
  for (const root of nodes) {
    // No recursion: a chain may be as long as there are nodes.
    const path = state.has(root) ? [] : [[root, 0]];
    if (path.length) state.set(root, "open");
    while (path.length) {
      const step = path.at(-1);
      const [node] = step;
      const to = next.get(node)[step[1]++];
      if (to === undefined) {
        state.set(node, "done");
        path.pop();
      } else if (state.get(to) !== "open") {
        forward.get(node).push(to);
        if (!state.has(to)) {
          state.set(to, "open");
          path.push([to, 0]);
        }
      }
    }
  }
  return forward;
}

function ranked(nodes, forward) {
  const into = new Map(nodes.map((node) => [node, 0]));
  for (const tos of forward.values()) for (const to of tos) into.set(to, into.get(to) + 1);
  const rank = new Map(nodes.map((node) => [node, 0]));
  const sources = nodes.filter((node) => !into.get(node));
  const ready = [...sources];
  for (const node of ready) {
    for (const to of forward.get(node)) {
      rank.set(to, Math.max(rank.get(to), rank.get(node) + 1));
      into.set(to, into.get(to) - 1);
      if (!into.get(to)) ready.push(to);
    }
  }
  // Who is needed by nobody stands next to the nearest of its providers.
  for (const node of sources) {
    const tos = forward.get(node);
    if (tos.length) rank.set(node, Math.min(...tos.map((to) => rank.get(to))) - 1);
  }
  return rank;
}

function inLayers(nodes, ranks) {
  const layers = Array.from({ length: Math.max(0, ...ranks.values()) + 1 }, () => []);
  for (const node of nodes) layers[ranks.get(node)].push(node);
  return layers;
}

function order(layers, near) {
  const place = new Map();
  const note = (layer) => layer.forEach((node, at) => place.set(node, at / layer.length));
  layers.forEach(note);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
      const mean = new Map(layer.map((node) => [node, meanPlace(node, near, place)]));
      layer.sort((one, other) => mean.get(one) - mean.get(other));
      note(layer);
    }
  }
}

function meanPlace(node, near, place) {
  const places = near.get(node).map((other) => place.get(other));
  if (!places.length) return place.get(node);
  return places.reduce((sum, one) => sum + one, 0) / places.length;
}

function placed(layers, tallest) {
  const columns = layers.flatMap((layer) => folded(layer, tallest));
  const most = Math.max(0, ...columns.map(tall));
  const places = new Map();
  columns.forEach((column, x) => {
    let y = (most - tall(column)) / 2;
    for (const point of column) {
      places.set(point, { x, y: y + (height(point) - 1) / 2 });
      y += height(point);
    }
  });
  return places;
}

const tall = (column) => column.reduce((sum, point) => sum + height(point), 0);
const height = (point) => (typeof point === "string" ? 1 : BEND);

/** Return the parts of a layer that is too tall, side by side. */
function folded(layer, tallest) {
  const parts = Math.ceil(tall(layer) / tallest);
  const size = Math.ceil(layer.length / parts);
  return Array.from({ length: parts }, (_, at) => layer.slice(at * size, (at + 1) * size));
}
