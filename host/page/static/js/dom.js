// Elements without a framework.

// h makes an element. Attributes that are functions are listeners; true sets,
// false and null leave out. Children are nodes or text.
export function h(tag, attributes = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") el.addEventListener(name, value);
    else if (value !== false && value != null) el.setAttribute(name, value === true ? "" : value);
  }
  el.append(...children.flat().filter((c) => c != null && c !== false));
  return el;
}

// setText changes a node's text only where it differs, so nothing flickers.
export function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

// setClass sets the whole class in the same way.
export function setClass(el, name) {
  if (el.className !== name) el.className = name;
}

// state is what stands in place of charts that are not there.
export function state(title, ...what) {
  return h("section", { class: "state" }, h("h2", {}, title), ...what.map((w) => (typeof w === "string" ? h("p", {}, w) : w)));
}

// segments is a group of radio buttons that look like one switch.
export function segments(legend, name, options, change) {
  const group = h("div", { class: "segments" });
  for (const [key, label, title] of options) {
    group.append(h("label", { title }, h("input", { type: "radio", name, value: key, change: () => change(key) }), label));
  }
  return h("fieldset", { class: "field" }, h("legend", {}, legend), group);
}

// picker is a labelled select.
export function picker(label, id, options, change) {
  const select = h("select", { id, change: (e) => change(e.target.value) });
  for (const [key, text] of options) select.append(h("option", { value: key }, text));
  return h("label", { class: "field" }, h("span", {}, label), select);
}
