// The mesh as the listing tells it: agents, who offers and who needs what, and who serves whom.

const FRAMEWORK = "__"; // how the names of the tools begin that every agent's SDK adds

/** Return what the views show of some agents. O(agents, capabilities and dependencies). */
export function meshOf(listed) {
  const agents = listed.map(entry);
  const byId = new Map(agents.map((agent) => [agent.id, agent]));
  const capabilities = new Map();
  const wires = [];
  const unmet = [];
  const named = (name) => {
    if (!capabilities.has(name)) capabilities.set(name, { name, offers: [], needs: [], unmet: 0 });
    return capabilities.get(name);
  };
  for (const agent of agents) {
    for (const offer of agent.capabilities) named(offer.name).offers.push({ agent, offer });
    for (const need of agent.needs) {
      const wanted = need.capability ? named(need.capability) : null;
      wanted?.needs.push({ agent, need });
      if (need.provider) wires.push({ from: agent, to: byId.get(need.provider), need });
      if (!need.served) {
        unmet.push({ agent, need });
        if (wanted) wanted.unmet += 1;
      }
    }
  }
  return {
    agents,
    byId,
    unmet,
    capabilities: [...capabilities.values()].sort(byName),
    wires: wires.filter((wire) => wire.to),
    healthy: agents.filter((agent) => agent.healthy).length,
    needs: agents.reduce((sum, agent) => sum + agent.needs.length, 0),
  };
}

/** Return what a dependency, an LLM filter or an LLM provider of a tool was told. */
export function needOf(told) {
  const capability = told.capability ?? told.filter_capability ?? told.required_capability ?? "";
  const tags = told.tags ?? told.filter_tags ?? told.required_tags ?? [];
  return {
    function: told.function_name ?? "",
    capability,
    wanted: [capability || "any", ...tags.map((tag) => `[${tag}]`)].join(" "),
    status: told.status ?? "",
    served: told.status === "available",
    provider: told.provider_agent_id ?? null,
    tool: told.mcp_tool ?? "",
    endpoint: told.endpoint ?? "",
  };
}

export const byName = (one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0);

function entry(listed) {
  const told = [
    ...(listed.dependency_resolutions ?? []),
    ...(listed.llm_tool_resolutions ?? []),
    ...(listed.llm_provider_resolutions ?? []),
  ];
  const capabilities = (listed.capabilities ?? []).filter((one) => !one.name.startsWith(FRAMEWORK));
  const needs = told.map(needOf);
  return {
    ...listed,
    name: listed.name || listed.id,
    healthy: listed.status === "healthy",
    capabilities,
    needs,
    unmet: needs.filter((need) => !need.served).length,
    haystack: [listed.id, listed.name, listed.namespace, listed.endpoint, listed.agent_type]
      .concat(capabilities.map((one) => one.name))
      .join("\n")
      .toLowerCase(),
  };
}
