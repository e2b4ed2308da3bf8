// What the page asks the registry. Addresses are relative to the page: a proxy may add a prefix.

const PAGE = 500;
const TIMEOUT_MS = 30_000;

/** Return all agents, in the listing's order. */
export async function agents() {
  const found = [];
  let cursor = "";
  do {
    const page = await get("agents", { limit: PAGE, cursor });
    found.push(...(page.agents ?? []));
    cursor = page.next_cursor;
  } while (cursor);
  return found;
}

/** Return one agent, with all that it declared. */
export function agent(id) {
  // A browser takes such a segment for a way up, in whatever way it is written.
  if (id === "." || id === "..") throw new Error("a browser cannot ask for an agent of this name");
  return get(`agents/${encodeURIComponent(id)}`);
}

/** Return the present position of the change feed: `epoch` and `revision`. */
export const digest = () => get("changes/digest");

/** Return the address of the stream of changes after a position. */
export function changesUrl({ epoch, revision }) {
  return address("changes", { epoch, since: revision });
}

/** Return what happened last, newest first. */
export const events = async (limit) => (await get("events", { limit })).events ?? [];

/** Return the registry's figures. */
export const stats = () => get("stats");

async function get(path, query = {}) {
  const answer = await fetch(address(path, query), {
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

function address(path, query) {
  const url = new URL(`../${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}
