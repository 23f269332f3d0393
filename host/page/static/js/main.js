// The page: tabs, the catalogue of what can be shown, and what is said on top.
import * as address from "./address.js";
import * as api from "./api.js";
import { Clock } from "./clock.js";
import { h } from "./dom.js";
import { Experiments } from "./experiments.js";
import { Operator } from "./operator.js";
import { Poller } from "./poll.js";

const main = document.getElementById("main");
const notice = document.getElementById("notice");
const clock = new Clock(document.getElementById("clock"));
const tabs = [...document.querySelectorAll("[role=tab]")];

const page = {
  view: address.read(),
  catalogue: null,
  clock: (through, zone) => clock.set(through, zone),
  // go changes what is shown; push makes it a step for the browser's Back.
  go(changes, push = false) {
    Object.assign(page.view, changes);
    address.write(page.view, push);
    show();
  },
  // problem says what is wrong, or takes it back; the page goes on trying.
  problem(error) {
    const text = error ? error.message + (error.hint ?? "") : "";
    if (notice.dataset.text === text) return;
    notice.dataset.text = text;
    notice.replaceChildren(...(error ? [h("div", { class: "note bad" }, h("span", { class: "dot bad" }), h("strong", {}, error.message), h("span", {}, error.hint ?? ""))] : []));
  },
};

const views = { experiments: new Experiments(main, page), operator: new Operator(main, page) };
let shown = null;

function show() {
  const view = views[page.view.tab];
  if (shown && shown !== view) shown.hide();
  shown = view;
  for (const tab of tabs) {
    const selected = tab.dataset.tab === page.view.tab;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    if (selected) main.setAttribute("aria-labelledby", tab.id);
  }
  document.title = (page.view.tab === "operator" ? "Operator" : page.view.experiment || "Experiments") + " · Pharos";
  view.show();
}

for (const tab of tabs) {
  tab.addEventListener("click", () => page.go({ tab: tab.dataset.tab }, true));
  tab.addEventListener("keydown", (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.focus();
    page.go({ tab: next.dataset.tab }, true);
  });
}

addEventListener("popstate", () => {
  page.view = address.read();
  show();
});

// The catalogue changes only with the config; it is read again now and then.
const catalogue = new Poller(async (signal) => {
  let read;
  try {
    read = await api.keyspaces(signal);
  } catch (e) {
    if (e.name === "AbortError") throw e;
    if (!page.catalogue) page.problem(e);
    return page.catalogue ? 0 : 2000;
  }
  const shape = JSON.stringify(read.keyspaces.map((k) => ({ ...k, newest: null })));
  const changed = shape !== page.shape;
  if (!page.catalogue) page.problem(null);
  Object.assign(page, { catalogue: read, shape });
  if (changed) show();
  return 0;
}, 15_000);

show();
catalogue.restart();
