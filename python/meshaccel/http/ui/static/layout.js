// Where the nodes of a graph stand: in layers, consumers left of their providers.
//
// After K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system
// structures" (1981): cycles are broken, layers are longest paths, and the order within a layer
// follows the mean place of the neighbours. A layer that is too tall is folded.

const SWEEPS = 6;

/**
 * Return a map from node to `{x, y}`, in cells. `edges` are pairs of nodes, without duplicates.
 * O(sweeps * (nodes log nodes + edges)).
 */
export function layered(nodes, edges) {
  const next = neighbours(nodes, edges);
  const forward = withoutCycles(nodes, next);
  const layers = inLayers(nodes, forward);
  order(layers, neighbours(nodes, edges.concat(edges.map(([from, to]) => [to, from]))));
  return folded(layers, Math.max(8, Math.ceil(1.3 * Math.sqrt(nodes.length))));
}

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

function inLayers(nodes, forward) {
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
  const layers = [];
  for (const node of nodes) (layers[rank.get(node)] ??= []).push(node);
  return layers.filter(Boolean);
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

function folded(layers, most) {
  const columns = layers.flatMap((layer) => {
    const parts = Math.ceil(layer.length / most);
    const size = Math.ceil(layer.length / parts);
    return Array.from({ length: parts }, (_, at) => layer.slice(at * size, (at + 1) * size));
  });
  const tallest = Math.max(0, ...columns.map((column) => column.length));
  const places = new Map();
  columns.forEach((column, x) => {
    const top = (tallest - column.length) / 2;
    column.forEach((node, y) => places.set(node, { x, y: top + y }));
  });
  return places;
}
