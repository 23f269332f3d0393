// The operator's view: how this host and the stream are doing.
import * as api from "./api.js";
import { h } from "./dom.js";
import * as format from "./format.js";
import { Plugins } from "./plugins.js";
import { Poller } from "./poll.js";
import { badge, card, number, table, zone } from "./table.js";

export class Operator {
  #last = "";
  #status;
  #plugins = new Plugins(() => this.#draw());

  constructor(main, page) {
    this.main = main;
    this.page = page;
    this.el = h("div", { class: "stack" });
    this.poller = new Poller((signal) => this.#turn(signal), 2000);
  }

  show() {
    if (!this.el.isConnected) this.main.replaceChildren(this.el);
    if (!this.#last) this.el.replaceChildren(h("div", { class: "card skeleton", "aria-busy": "true", "aria-label": "Loading" }));
    this.poller.restart();
  }

  hide() {
    this.poller.stop();
  }

  async #turn(signal) {
    let status;
    try {
      status = await api.status(signal);
    } catch (e) {
      if (e.name === "AbortError") throw e;
      this.el.classList.add("stale");
      this.page.problem(e);
      return;
    }
    this.page.problem(null);
    this.el.classList.remove("stale");
    this.page.clock(status.complete_through, zone);
    const text = JSON.stringify(status);
    if (text === this.#last) return;
    this.#last = text;
    this.#status = status;
    this.#draw();
  }

  #draw() {
    const focused = document.activeElement?.closest(".unfold") ? [...this.el.querySelectorAll(".unfold")].indexOf(document.activeElement) : -1;
    const scrolled = [...this.el.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
    this.el.replaceChildren(...parts(this.#status, this.#plugins));
    this.el.querySelectorAll(".scroll").forEach((s, i) => (s.scrollLeft = scrolled[i] ?? 0));
    if (focused >= 0) this.el.querySelectorAll(".unfold")[focused]?.focus({ preventScroll: true });
  }
}

// said is a fault's text: lines that are set in, such as a rule with a caret below it,
// stand as they were written.
function said(text) {
  const parts = [];
  for (const line of text.split("\n")) {
    const code = line.startsWith("    ");
    if (parts.at(-1)?.code !== code) parts.push({ code, lines: [] });
    parts.at(-1).lines.push(code ? line.slice(4) : line);
  }
  return parts.map((p) => h(p.code ? "pre" : "div", {}, p.lines.join("\n")));
}

function parts(s, plugins) {
  return [
    ...s.faults.map((f) => h("div", { class: "note bad", role: "alert" }, h("span", { class: "dot bad" }), h("div", { class: "said" }, ...said(f)))),
    card("This host", facts([
      ["Host", s.host || "–"], ["Version", s.version || "–"], ["Generation", format.integer(s.generation)],
      ["Running since", s.started == null ? "–" : format.moment(s.started, zone)],
      ["Final through", s.complete_through == null ? "nothing yet" : format.moment(s.complete_through, zone)],
      ["Open figures held", format.integer(s.live_figures) + (s.live_ready ? "" : " (reading)")],
    ])),
    card("Roles", table(["Role", "State", "Topic", "#Partition", "#Offset", "#Lag", "#Watermark"], s.roles.flatMap(role), "This host runs no role.")),
    card("Beacons", table(["Tenant", "#In", "#Counted", "Filtered", "#Duplicate", "#Late", "Dead-lettered", "#Bad values", "Conservation"], Object.entries(s.beacons).map(([name, b]) => beacons(name, b, s.bad_value[name])), "No beacon has been counted."),
      h("p", { class: "about" }, s.beacons_since == null ? "" : `As counted in the metrics topic since ${format.moment(s.beacons_since, zone)}, where this host began to read it.`,
        Object.keys(s.undecodable).length ? ` Of no tenant: ${reasons(s.undecodable)}.` : "")),
    plugins.card(s),
    card("Stores", table(["Store", "State", "#Shipped through"], s.stores.map(store), "No store is configured: only open minutes are served.")),
  ];
}

function role(r) {
  const rows = r.partitions.length ? r.partitions : [null];
  return rows.map((p, i) => h("tr", {},
    h("td", {}, i === 0 ? h("strong", {}, r.name) : ""),
    h("td", {}, i === 0 ? badge(r.state) : "", i === 0 && r.detail ? h("div", { class: "reasons" }, r.detail) : ""),
    h("td", { class: "soft" }, p?.topic ?? "–"), number(p?.partition), number(p?.offset),
    number(p?.lag), h("td", { class: "num" }, p?.watermark == null ? "–" : format.moment(p.watermark, zone))));
}

function beacons(name, b, bad) {
  const sum = (m) => Object.values(m).reduce((a, n) => a + n, 0);
  const out = b.counted + sum(b.filtered) + b.duplicate + b.late + sum(b.dead_lettered);
  const apart = b.in - out;
  return h("tr", {}, h("td", {}, h("strong", {}, name)), number(b.in), number(b.counted), list(b.filtered), number(b.duplicate), number(b.late), list(b.dead_lettered), number(bad ?? 0),
    h("td", {}, apart === 0 ? badge("running", "in = out") : badge("waiting", apart > 0 ? `${format.integer(apart)} on their way` : `${format.integer(-apart)} from before`)));
}

const store = (s) => h("tr", {}, h("td", {}, h("strong", {}, s.name), h("div", { class: "reasons" }, s.type)), h("td", {}, badge(s.error ? "failed" : "running"), s.error ? h("div", { class: "reasons" }, s.error) : ""), h("td", { class: "num" }, s.shipped_through == null ? "nothing yet" : format.moment(s.shipped_through, zone)));

const reasons = (m) => Object.entries(m).map(([why, n]) => `${format.integer(n)} ${why}`).join(", ");
const list = (m) => h("td", {}, Object.keys(m).length ? h("span", { class: "reasons" }, reasons(m)) : h("span", { class: "soft" }, "0"));
const facts = (pairs) => h("dl", { class: "facts" }, pairs.map(([name, v]) => h("div", {}, h("dt", {}, name), h("dd", {}, v))));
