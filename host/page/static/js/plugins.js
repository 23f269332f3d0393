// The versions of plugins that a host has, and what each has gone through.
import { h } from "./dom.js";
import * as format from "./format.js";
import { badge, card, number, table, zone } from "./table.js";

const headings = ["Plugin", "State", "Version", "#Since", "#Rows", "#Fuel a row", "#Traps"];

export class Plugins {
  #open = new Set();

  constructor(redraw) {
    this.redraw = redraw;
  }

  card(s) {
    const earlier = s.past_plugins.length ? [h("h3", {}, "Earlier versions"), this.#table(s.past_plugins)] : [];
    return card("Plugins", this.#table(s.plugins), ...earlier);
  }

  #table(versions) {
    return table(headings, versions.flatMap((p) => this.#rows(p)), "No plugin is configured: every beacon passes, and only visits are measured.");
  }

  #rows(p) {
    const key = [p.name, p.digest, p.life[0]?.at].join(" ");
    const open = this.#open.has(key);
    const toggle = () => {
      if (!this.#open.delete(key)) this.#open.add(key);
      this.redraw();
    };
    const row = h("tr", {},
      h("td", {}, h("button", { type: "button", class: "unfold", "aria-expanded": String(open), title: "What it has gone through", click: toggle }, h("strong", {}, p.name)), h("div", { class: "reasons" }, p.kind)),
      h("td", {}, badge(p.state), p.error ? h("div", { class: "reasons" }, p.error) : ""),
      h("td", { class: "soft" }, p.version || "–", p.digest ? h("div", { class: "reasons", title: p.digest }, p.digest.replace("sha256:", "").slice(0, 12)) : ""),
      h("td", { class: "num" }, p.since == null ? "–" : format.moment(p.since, zone)),
      number(p.rows), h("td", { class: "num" }, p.rows && p.fuel ? format.integer(p.fuel / p.rows) : "–"), number(p.traps));
    return open ? [row, h("tr", { class: "life" }, h("td", { colspan: headings.length }, h("ol", {}, p.life.map(step))))] : [row];
  }
}

const step = (e) => h("li", {},
  h("span", { class: "soft" }, e.at == null ? "–" : format.second(e.at, zone)),
  h("strong", {}, e.step),
  h("span", { class: "soft" }, !e.took_ms ? "" : e.took_ms < 1 ? "< 1 ms" : format.duration(e.took_ms / 1000)),
  h("span", { class: "reasons" }, e.detail ?? ""));
