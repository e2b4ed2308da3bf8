// Text for people. What agents say may hold anything, also what turns text around or hides it.

import { el } from "./dom.js";

const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;
const SECONDS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

/** Return one line with all that is not seen written as an escape, cut to so many characters. */
export function safe(text, limit = 120) {
  const whole = String(text ?? "");
  let cut = whole.length > limit ? whole.slice(0, limit) : whole;
  if (cut !== whole) cut = cut.replace(/[\ud800-\udbff]$/, "");
  const seen = cut.replace(INVISIBLE, (char) => `\\u{${char.codePointAt(0).toString(16)}}`);
  return cut === whole ? seen : `${seen}…`;
}

/** Return some lines, each of them safe. */
export function safeLines(text, limit = 10_000) {
  const lines = String(text ?? "").slice(0, limit).split(/\r?\n/);
  return lines.map((line) => safe(line, limit)).join("\n");
}

/** Return an element that keeps the direction of foreign text to itself. */
export function foreign(text, limit) {
  return el("bdi", {}, safe(text, limit));
}

/** Return a duration in its largest unit. */
export function duration(seconds) {
  const [unit, size] = SECONDS.find(([, size]) => seconds >= size) ?? SECONDS.at(-1);
  return `${Math.max(0, Math.floor(seconds / size))} ${unit}`;
}

/** Return how long ago a time was, or a dash. */
export function ago(time) {
  const then = Date.parse(time);
  return Number.isNaN(then) ? "–" : `${duration((Date.now() - then) / 1000)} ago`;
}

/** Return a time of the day, local. */
export function clock(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString([], { hour12: false });
}

/** Return a number with as many digits as tell something. */
export function number(value) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

/** Return "1 agent", "2 agents". */
export function count(many, one, more = `${one}s`) {
  return `${many.toLocaleString("en")} ${many === 1 ? one : more}`;
}
