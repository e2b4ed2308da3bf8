// The registry's figures over time, asked for every few seconds while somebody looks.

import * as api from "./api.js";
import { Poller } from "./poller.js";

const EVERY_MS = 5000;
const KEPT = 120;

export const CHARTS = [
  {
    title: "Agents",
    about: "Healthy agents, and all that are listed",
    series: { healthy: (now) => now.agents?.healthy, listed: (now) => now.agents?.total },
  },
  {
    title: "Requests per second",
    about: "All requests that the registry answered",
    series: { requests: (now, before) => rate(now, before, "count") },
  },
  {
    title: "Errors per second",
    about: "Requests answered with an error",
    series: { errors: (now, before) => rate(now, before, "errors") },
  },
  {
    title: "Heartbeat",
    about: "Time to answer a heartbeat: 50th and 99th percentile since the start",
    unit: " ms",
    series: { p50: (now) => heartbeat(now)?.p50_ms, p99: (now) => heartbeat(now)?.p99_ms },
  },
  {
    title: "Cache hits",
    about: "Lookups that a cache answered",
    unit: " %",
    most: 100,
    series: { hits: (now) => percent(now.brief?.cache_hit_ratio) },
  },
  {
    title: "Discovery calls avoided",
    about: "Calls that discovery by changes did without",
    unit: " %",
    most: 100,
    series: { avoided: (now) => now.brief?.calls_avoided_percent },
  },
  {
    title: "Metadata memory saved",
    about: "Bytes of metadata that are shared instead of kept again",
    unit: " %",
    most: 100,
    series: { saved: (now) => now.brief?.metadata_saved_percent },
  },
  {
    title: "Queries per operation",
    about: "Statements that an operation sends to the database",
    series: { queries: (now) => now.brief?.queries_per_operation },
  },
  {
    title: "Wait for a connection",
    about: "Time to get a connection to the database: 50th and 99th percentile since the start",
    unit: " ms",
    series: { p50: (now) => now.brief?.acquire_ms_p50, p99: (now) => now.brief?.acquire_ms_p99 },
  },
  {
    title: "Faults recovered from",
    about: "Faults that another attempt made good",
    unit: " %",
    most: 100,
    series: { recovered: (now) => percent(now.brief?.recovery_rate) },
  },
];

/** Samples of the figures: the last ten minutes. */
export class Metrics {
  latest = null;
  #samples = [];

  constructor(changed) {
    this.changed = changed;
  }

  start() {
    new Poller(EVERY_MS, () => this.#ask()).start();
  }

  /** Return the charts' series. */
  charts() {
    return CHARTS.map(({ series, ...chart }) => ({
      ...chart,
      series: Object.entries(series).map(([name, of]) => ({
        name,
        points: this.#samples.map(({ now }, at) => finite(now && of(now, this.#samples[at - 1]?.now))),
      })),
    }));
  }

  async #ask() {
    let now = null;
    try {
      now = await api.stats();
    } catch {
      // A gap here; the connection shows how it is with the registry.
    }
    this.latest = now ?? this.latest;
    this.#samples = [...this.#samples, { now }].slice(-KEPT);
    this.changed();
  }
}

const finite = (value) => (Number.isFinite(value) ? value : null);
const percent = (ratio) => (Number.isFinite(ratio) ? 100 * ratio : null);

function rate(now, before, what) {
  const seconds = now.uptime_s - before?.uptime_s;
  // After a restart there is nothing to compare with.
  if (!(seconds > 0)) return null;
  const sum = (stats) => (stats.requests ?? []).reduce((all, route) => all + (route[what] ?? 0), 0);
  return Math.max(0, sum(now) - sum(before)) / seconds;
}

const heartbeat = (now) =>
  now.requests?.find(({ method, route }) => method === "HEAD" && route === "/heartbeat/{agent_id}");
