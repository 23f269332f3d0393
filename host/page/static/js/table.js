// Cards, tables and what stands in their cells.
import { h } from "./dom.js";
import * as format from "./format.js";

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const dots = { live: ["running", "ready", "live"], bad: ["failed", "broken", "refused", "rolled back", "fallback", "out"], "": ["draining", "drained", "closed"] };
const dot = (state) => Object.keys(dots).find((d) => dots[d].includes(state)) ?? "warn";

export const number = (v) => h("td", { class: "num" }, format.integer(v));
export const badge = (state, text = state) => h("span", { class: "badge" }, h("span", { class: "dot " + dot(state) }), text || "–");

export function card(title, ...what) {
  return h("section", { class: "card" }, h("header", {}, h("h2", {}, title)), ...what);
}

// table makes a table; a heading that begins with # is of numbers.
export function table(headings, rows, empty) {
  if (!rows.length) return h("p", { class: "about" }, empty, h("br"), " ");
  return h("div", { class: "scroll" }, h("table", { class: "table" },
    h("thead", {}, h("tr", {}, headings.map((t) => h("th", { scope: "col", class: t.startsWith("#") ? "num" : null }, t.replace("#", ""))))),
    h("tbody", {}, rows)));
}
