// A small chart of one or two series.

import { el, svg } from "./dom.js";
import { number } from "./text.js";

const WIDTH = 240;
const HEIGHT = 56;
const PAD = 5;

/**
 * Return a figure: what is measured, its last value, a line of all, and their range.
 *
 * `series` are `{name, points}` of equal length; a point is a number, or null for nothing.
 */
export function sparkline({ title, about, unit = "", most, series }) {
  const known = series.flatMap(({ points }) => points.filter((one) => one !== null));
  const last = series.map(({ points }) => points.at(-1) ?? null);
  const shown = last.map((value) => (value === null ? "–" : `${number(value)}${unit}`)).join(" / ");
  const top = most ?? Math.max(...known, 1e-9);
  const range = known.length
    ? `${number(Math.min(...known))} – ${number(Math.max(...known))}${unit}`
    : "nothing yet";
  const names = series.length > 1 ? `${series.map(({ name }) => name).join(" / ")}, ` : "";
  const chart = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `${title}: now ${shown}, ${names}${range}`,
    },
    svg("path", { class: "axis", d: `M0 ${HEIGHT - PAD}H${WIDTH}` }),
    ...series.map(({ points }, at) => line(points, top, at)),
  );
  return el(
    "figure",
    { class: "chart", title: about },
    el("figcaption", {}, el("span", {}, title), el("strong", {}, shown)),
    chart,
    el("small", {}, names + range),
  );
}

function line(points, top, at) {
  const step = WIDTH / Math.max(1, points.length - 1);
  const place = (value, index) => {
    const y = HEIGHT - PAD - (Math.min(value, top) / top) * (HEIGHT - 2 * PAD);
    return `${(index * step).toFixed(1)} ${y.toFixed(1)}`;
  };
  let path = "";
  let isDrawing = false;
  points.forEach((value, index) => {
    if (value !== null) path += `${isDrawing ? "L" : "M"}${place(value, index)}${isDrawing ? "" : "h0"}`;
    isDrawing = value !== null;
  });
  return svg("path", { class: `series series-${at}`, d: path });
}
