// The experiments' view: pickers, switches, and a card a formula.
import * as api from "./api.js";
import { ranges } from "./address.js";
import { Card } from "./card.js";
import { h, picker, segments, state } from "./dom.js";
import * as format from "./format.js";
import { Poller } from "./poll.js";

const pollEvery = 2000;
const oldAfter = 15 * 60_000; // data behind the wall clock by so much is said to be old

export class Experiments {
  #cards = [];
  #shown = ""; // what the cards were made for
  #zoomedFrom = "1h";

  // page: {view, catalogue, go(changes, push), clock(ms, zone, live), problem(error or null)}
  constructor(main, page) {
    this.main = main;
    this.page = page;
    this.toolbar = h("div", { class: "toolbar" });
    this.note = h("div");
    this.content = h("div");
    this.poller = new Poller((signal) => this.#turn(signal), pollEvery);
  }

  // show puts the view on the page, for what the address says.
  show() {
    if (!this.toolbar.isConnected) this.main.replaceChildren(this.toolbar, this.note, this.content);
    const { catalogue, view } = this.page;
    if (!catalogue) return this.#loading(4);
    this.keyspace = catalogue.keyspaces.find((k) => k.name === view.keyspace) ?? catalogue.keyspaces[0];
    if (!this.keyspace) return this.#instead(...noKeyspace());
    this.experiment = this.keyspace.experiments.find((e) => e.id === view.experiment) ?? this.keyspace.experiments[0];
    this.#tools();
    if (!this.experiment) return this.#instead(...noExperiment(this.keyspace));
    if (!this.keyspace.formulas.length) return this.#instead(...noFormula(this.keyspace));
    if (view.range !== "custom") this.#zoomedFrom = view.range;
    const shows = JSON.stringify([this.keyspace, this.experiment.id]);
    if (shows !== this.#shown) {
      this.#clear();
      this.#shown = shows;
      this.#loading(this.keyspace.formulas.length);
    }
    this.poller.restart();
  }

  hide() {
    this.poller.stop();
    this.#clear();
  }

  // #tools makes the toolbar where its choices changed, and sets what is chosen.
  #tools() {
    const { view, go, catalogue } = this.page, zone = this.keyspace.timezone;
    const custom = view.range === "custom" ? [["custom", `${format.moment(+view.from, zone)} – ${format.moment(+view.to, zone)}`, "Chosen by dragging over a chart; double-click to go back"]] : [];
    const key = JSON.stringify([catalogue.keyspaces.map((k) => k.name), this.keyspace.experiments, custom]);
    if (this.toolbar.dataset.key !== key) {
      this.toolbar.dataset.key = key;
      this.toolbar.replaceChildren(
        picker("Keyspace", "keyspace", catalogue.keyspaces.map((k) => [k.name, k.name]), (keyspace) => go({ keyspace, experiment: "" }, true)),
        picker("Experiment", "experiment", this.keyspace.experiments.map((e) => [e.id, e.id === "_all" ? "All traffic" : e.id]), (experiment) => go({ experiment }, true)),
        segments("Sessions", "status", [["assigned", "Assigned", "From the assignment to a variant on"], ["qualified", "Qualified", "From the experiment's qualifying point on"]], (status) => go({ status })),
        h("div", { class: "push" }, segments("Range", "range", [...ranges, ...custom], (range) => go({ range, from: "", to: "" }))),
      );
    }
    const chosen = { keyspace: this.keyspace.name, experiment: this.experiment?.id ?? "", status: view.status, range: view.range };
    for (const input of this.toolbar.querySelectorAll("input")) input.checked = input.value === chosen[input.name];
    for (const select of this.toolbar.querySelectorAll("select")) select.value = chosen[select.id];
  }

  async #turn(signal) {
    const { view } = this.page;
    const request = { formulas: this.keyspace.formulas.map((f) => f.name), experiment: this.experiment.id, by: ["variant"], status: view.status, points: 240 };
    if (view.range === "custom") Object.assign(request, { from: +view.from, to: +view.to });
    else if (view.range !== "all") request.from = "-" + view.range;
    let answer;
    try {
      answer = await api.query(this.keyspace.name, request, signal);
    } catch (e) {
      if (e.name === "AbortError") throw e;
      this.content.classList.add("stale");
      this.page.problem(e);
      return pollEvery;
    }
    this.page.problem(null);
    this.content.classList.remove("stale");
    this.#answer(answer);
    return view.range === "all" ? 3 * pollEvery : 0;
  }

  #answer(answer) {
    this.page.clock(answer.complete_through, this.keyspace.timezone);
    if (answer.newest == null && !answer.series.some((s) => s.points.length)) return this.#instead(...noFigure(), true);
    this.#say(answer);
    if (!this.#cards.length) {
      const on = {
        zoom: (from, to) => this.page.go({ range: "custom", from: String(from), to: String(to) }, true),
        reset: () => this.page.view.range === "custom" && this.page.go({ range: this.#zoomedFrom, from: "", to: "" }, true),
      };
      this.#cards = this.keyspace.formulas.map((f) => new Card(f, this.keyspace.timezone, on));
      this.content.replaceChildren(h("div", { class: "grid" }, this.#cards.map((c) => c.el)));
    }
    for (const card of this.#cards) card.set(answer.series.filter((s) => s.formula === card.formula.name), answer);
  }

  // #say tells where the range ends if that is not now, or that it is empty.
  #say(answer) {
    const zone = this.keyspace.timezone, { view, go } = this.page;
    const empty = answer.series.every((s) => s.points.every(([, v]) => !v));
    const behind = answer.newest == null ? 0 : Date.now() - answer.newest;
    const all = h("button", { class: "button", type: "button", click: () => go({ range: "all", from: "", to: "" }) }, "Show all data");
    let key = "", note = null;
    if (empty && view.range !== "all") {
      key = "empty";
      note = h("div", { class: "note warn" }, h("span", {}, "There are no figures of this experiment in the range shown."), all);
    } else if (empty) {
      key = "nothing";
      note = h("div", { class: "note warn" }, h("span", {}, `There are no ${view.status} sessions in this experiment yet. They appear seconds after a beacon with an assignment is counted.`));
    } else if (behind > oldAfter && view.range !== "custom") {
      key = "old" + answer.newest + (view.range === "all");
      note = h("div", { class: "note" }, h("span", {}, "The newest data is of ", h("strong", {}, `${format.date(answer.newest, zone)}, ${format.time(answer.newest, zone)} ${format.zoneName(answer.newest, zone)}`), `, ${format.duration(behind / 1000)} ago: ranges end there.`), view.range !== "all" && all);
    }
    if (this.note.dataset.key === key) return;
    this.note.dataset.key = key;
    this.note.replaceChildren(...(note ? [note] : []));
  }

  #loading(cards) {
    this.content.replaceChildren(h("div", { class: "grid", "aria-busy": "true", "aria-label": "Loading" }, Array.from({ length: Math.min(cards, 6) }, () => h("div", { class: "card skeleton" }))));
  }

  #instead(title, ...what) {
    const stays = what.at(-1) === true;
    if (stays) what.pop();
    else this.poller.stop();
    this.#clear();
    this.content.replaceChildren(state(title, ...what));
  }

  #clear() {
    for (const card of this.#cards) card.destroy();
    this.#cards = [];
    this.#shown = "";
    this.note.dataset.key = "";
    this.note.replaceChildren();
  }
}

const code = (text) => h("pre", {}, text);

const noKeyspace = () => ["No keyspace is configured", "A keyspace names metrics and formulas for one tenant. Add one to the config file and reload:",
  code("keyspaces:\n  shop:\n    tenant: shop\n    store: local\n    metrics:\n      visitors: {point: visit, stat: sessions}\n    formulas:\n      visitors_total: {expr: visitors, title: Visitors}")];
const noExperiment = (k) => ["This keyspace has no experiment", "Add one to its tenant, or count everything under all traffic:", code(`tenants:\n  ${k.tenant}:\n    all_traffic: true`)];
const noFormula = (k) => ["This keyspace has no formula", "Add one to the config file and reload:", code(`keyspaces:\n  ${k.name}:\n    formulas:\n      conversion: {expr: orders / visitors, title: Conversion, format: percent}`)];
const noFigure = () => ["Waiting for the first figures", "They appear here seconds after the first beacon is counted. To send a file's beacons:", code("pharos send -c pharos.yaml --in beacons.ndjson"), "If some were sent already, the operator's view tells where they are."];
