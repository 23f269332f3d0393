// Clock tells up to when figures are final, and how far that is behind now.
import { h, setClass, setText } from "./dom.js";
import * as format from "./format.js";

export class Clock {
  #through = null;
  #zone = "UTC";
  #told = false;

  constructor(el) {
    this.dot = h("span", { class: "dot" });
    this.text = h("span");
    this.time = h("strong");
    this.age = h("span");
    el.replaceChildren(this.dot, this.text, this.time, this.age);
    setInterval(() => this.#tick(), 1000);
  }

  // set takes the last final minute, by its start in ms.
  set(through, zone) {
    this.#through = through;
    this.#zone = zone;
    this.#told = true;
    this.#tick();
  }

  #tick() {
    if (!this.#told) return;
    if (this.#through == null) {
      setText(this.text, "No minute is final yet");
      setText(this.time, "");
      setText(this.age, "");
      setClass(this.dot, "dot warn");
      return;
    }
    const end = this.#through + 60_000;
    const behind = Date.now() - end;
    setText(this.text, "Complete through");
    setText(this.time, format.moment(this.#through, this.#zone) + " " + format.zoneName(this.#through, this.#zone));
    setText(this.age, behind > 0 ? `${format.duration(Math.floor(behind / 1000))} ago` : "");
    setClass(this.dot, behind < 3_600_000 ? "dot live" : "dot");
  }
}
