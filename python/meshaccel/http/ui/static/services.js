// The wiring between services: replicas of an agent are one node, needs that nobody meets another.

/** Nodes that are drawn: of more, those with the most wires. */
export const MOST_NODES = 300;

/** Return `{nodes, edges, left}`: `left` is how many services are wired but not drawn. */
export function wiringOf(mesh) {
  const nodes = new Map();
  const edges = new Map();
  const node = (id, name, kind) => {
    if (!nodes.has(id)) nodes.set(id, { id, name, kind, agents: new Set(), wires: 0, healthy: true });
    return nodes.get(id);
  };
  const service = (agent) => {
    const found = node(`s ${agent.namespace} ${agent.name}`, agent.name, "service");
    found.agents.add(agent);
    return found;
  };
  const connect = (from, to, need) => {
    const id = JSON.stringify([from.id, to.id]);
    if (!edges.has(id)) {
      edges.set(id, { from: from.id, to: to.id, capabilities: new Set(), served: true });
      from.wires += 1;
      to.wires += 1;
    }
    edges.get(id).capabilities.add(need.wanted);
    if (!need.served) edges.get(id).served = false;
  };
  for (const { from, to, need } of mesh.wires) connect(service(from), service(to), need);
  // One whose provider is unhealthy is wired all the same.
  for (const { agent, need } of mesh.unmet.filter(({ need }) => !mesh.byId.has(need.provider))) {
    connect(service(agent), node(`u ${need.wanted}`, need.wanted, "unmet"), need);
  }
  // Replicas that nobody is wired to are part of their service all the same.
  for (const agent of mesh.agents) {
    const found = nodes.get(`s ${agent.namespace} ${agent.name}`);
    found?.agents.add(agent);
    if (found && !agent.healthy) found.healthy = false;
  }
  const ranked = [...nodes.values()].sort((one, other) => other.wires - one.wires || order(one, other));
  const drawn = new Set(ranked.slice(0, MOST_NODES).map((one) => one.id));
  return {
    nodes: ranked.slice(0, MOST_NODES).sort(order),
    edges: [...edges.values()].filter((edge) => drawn.has(edge.from) && drawn.has(edge.to)),
    left: Math.max(0, ranked.length - MOST_NODES),
  };
}

const order = (one, other) => (one.id < other.id ? -1 : 1);
