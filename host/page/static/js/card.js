// Card is one formula: its chart, and a table of what each variant came to.
import { h, setClass, setText } from "./dom.js";
import { Chart, colorOf } from "./chart.js";
import * as format from "./format.js";

export class Card {
  #rows = new Map();
  #data = null;
  #cursor = null;

  constructor(formula, zone, on) {
    this.formula = formula;
    this.zone = zone;
    const id = "formula-" + formula.name;
    this.none = h("div", { class: "none" });
    this.area = h("div", { class: "chart", role: "img" }, this.none);
    this.when = h("th", { scope: "col" }, "Latest");
    this.body = h("tbody");
    this.open = h("span", { class: "key", hidden: true, title: "These minutes are not final: late beacons can still change them" }, h("i"), "open");
    this.el = h("article", { class: "card", "data-formula": formula.name, "aria-labelledby": id },
      h("header", {}, h("h2", { id }, formula.title), h("span", { class: "expr", title: formula.expr }, formula.expr), this.open),
      h("p", { class: "about" }, formula.description ?? ""),
      this.area,
      h("table", { class: "legend" },
        h("caption", { class: "visually-hidden" }, `${formula.title} by variant`),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Variant"), this.when, h("th", { scope: "col", title: "The formula over the whole range shown" }, "Range"), h("th", { scope: "col", title: "Difference of the range's value, relative to the first variant. A plain ratio: it says nothing about chance." }, "vs first"))),
        this.body));
    this.chart = new Chart(this.area, formula, zone, { ...on, cursor: (i) => this.#point(i) });
  }

  destroy() {
    this.chart.destroy();
    this.el.remove();
  }

  // set shows the formula's series of an answer.
  set(series, answer) {
    const points = series[0]?.points ?? [];
    const times = points.map(([ms]) => ms);
    const from = series[0]?.provisional_from;
    const found = from == null ? -1 : times.indexOf(from);
    this.#data = {
      times,
      lines: series.map((s) => s.points.map(([, v]) => v)),
      open: found < 0 ? times.length : found,
      from: answer.from,
      to: answer.to,
    };
    this.open.hidden = this.#data.open >= times.length;
    const empty = this.#data.lines.every((values) => values.every((v) => v == null));
    setText(this.none, empty ? "No value in this range" : "");
    this.chart.set(this.#data);
    this.#table(series);
    this.area.setAttribute("aria-label", `${this.formula.title} over time: ${series.map((s) => `${label(s)} ${format.value(s.total, this.formula)}`).join(", ")}. The table below has the values.`);
  }

  #table(series) {
    const seen = new Set();
    series.forEach((s, i) => {
      const name = label(s);
      seen.add(name);
      let row = this.#rows.get(name);
      if (!row) {
        row = { latest: h("td", { class: "num latest" }), total: h("td", { class: "num total" }), delta: h("span", { class: "delta" }) };
        row.el = h("tr", { "data-variant": name }, h("th", { scope: "row" }, h("span", { class: `swatch c${colorOf(i, series.length)}` }), shown(name)), row.latest, row.total, h("td", { class: "num" }, row.delta));
        this.#rows.set(name, row);
      }
      if (this.body.children[i] !== row.el) this.body.insertBefore(row.el, this.body.children[i] ?? null);
      setText(row.total, format.value(s.total, this.formula));
      const d = i === 0 ? null : format.difference(series[0].total, s.total);
      setText(row.delta, series.length === 1 ? "" : i === 0 ? "first" : d ? d.text : "–");
      setClass(row.delta, "delta " + verdict(d, this.formula.better));
    });
    for (const [name, row] of this.#rows) {
      if (seen.has(name)) continue;
      row.el.remove();
      this.#rows.delete(name);
    }
    this.#point(this.#cursor);
  }

  // #point shows the values under the cursor, or the latest ones.
  #point(index) {
    if (!this.#data) return;
    const { times, lines, open } = this.#data;
    if (index != null && index >= times.length) index = null;
    this.#cursor = index;
    setText(this.when, index == null ? (open < times.length ? "Latest (open)" : "Latest") : format.moment(times[index], this.zone) + (index >= open ? " (open)" : ""));
    let i = 0;
    for (const row of this.body.children) {
      const values = lines[i++] ?? [];
      const at = index ?? values.findLastIndex((v) => v != null);
      setText(row.querySelector(".latest"), format.value(values[at], this.formula));
    }
  }
}

const shown = (name) => (name === "_all" ? "All traffic" : name);
const label = (series) => Object.values(series.labels).map((v) => v || "(none)").join(" · ") || "all";

function verdict(d, better) {
  if (!d || !better || d.ratio === 0) return "";
  return d.ratio > 0 === (better === "up") ? "good" : "bad";
}
