/* global uPlot */
// Chart is one uPlot: a line a variant, the open minutes dashed on a band.
import * as format from "./format.js";

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const lineColors = 8;

// colorOf is the number of a line's colour: grey is the first variant's, with
// which others are compared, so a line alone is not grey.
export const colorOf = (line, lines) => (lines === 1 ? 1 : line % lineColors);

export class Chart {
  #plot = null;
  #lines = 0;
  #data = null;

  // on: {zoom(from, to), reset(), cursor(index or null)}
  constructor(el, meta, zone, on) {
    Object.assign(this, { el, meta, zone, on });
    this.resized = new ResizeObserver(() => this.#resize());
    this.resized.observe(el);
    this.themed = matchMedia("(prefers-color-scheme: dark)");
    this.retheme = () => this.#plot?.redraw(false);
    this.themed.addEventListener("change", this.retheme);
  }

  // set shows data: {times, lines: [[value]], open: first open index, from, to}
  set(data) {
    this.#data = data;
    const columns = [data.times];
    for (const values of data.lines) {
      columns.push(values.map((v, i) => (i < data.open ? v : null)));
      columns.push(values.map((v, i) => (i >= data.open - 1 ? v : null)));
    }
    if (!this.#plot || this.#lines !== data.lines.length) {
      this.#plot?.destroy();
      this.#lines = data.lines.length;
      this.#plot = new uPlot(this.#options(), columns, this.el);
    } else {
      this.#plot.setData(columns);
    }
  }

  destroy() {
    this.resized.disconnect();
    this.themed.removeEventListener("change", this.retheme);
    this.#plot?.destroy();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.el;
    if (this.#plot && width && (width !== this.#plot.width || height !== this.#plot.height)) this.#plot.setSize({ width, height });
  }

  #options() {
    const font = "11px " + getComputedStyle(document.body).fontFamily;
    const axis = { stroke: () => color("--chart-axis"), font, ticks: { show: false }, grid: { stroke: () => color("--chart-grid"), width: 1 } };
    return {
      width: Math.max(this.el.clientWidth, 100),
      height: this.el.clientHeight,
      ms: 1,
      tzDate: (ms) => uPlot.tzDate(new Date(ms), this.zone),
      legend: { show: false },
      padding: [8, 20, 0, 0],
      cursor: { sync: { key: "pharos", scales: ["x", null], setSeries: false }, drag: { x: true, y: false, setScale: false }, points: { size: 7 }, bind: { dblclick: () => () => this.on.reset() } },
      scales: {
        x: { time: true, range: () => [this.#data.from, this.#data.to] },
        y: { range: (_, low, high) => this.#limits(low, high) },
      },
      axes: [
        { ...axis, grid: { show: false }, size: 38, space: 64, values: (_, splits) => this.#timeLabels(splits) },
        { ...axis, size: (_, values) => 18 + 6.4 * Math.max(4, ...(values ?? []).map((v) => v.length)), values: (_, splits) => splits.map((v) => format.value(v, this.meta, true)) },
      ],
      series: [{}, ...Array.from({ length: this.#lines * 2 }, (_, i) => this.#series(i >> 1, i % 2 === 1))],
      hooks: {
        drawClear: [(u) => this.#band(u)],
        setCursor: [(u) => this.on.cursor(u.cursor.left >= 0 ? u.cursor.idx : null)],
        setSelect: [(u) => this.#select(u)],
      },
    };
  }

  #series(line, open) {
    const name = `--line-${colorOf(line, this.#lines)}`;
    return {
      stroke: () => color(name),
      width: 2,
      dash: open ? [5, 4] : undefined,
      points: { size: 5, fill: () => color(name), stroke: () => color(name) },
    };
  }

  // #limits begins at zero where that does not press the lines flat.
  #limits(low, high) {
    if (low == null) return [0, 1];
    if (low === high) return low === 0 ? [0, 1] : [Math.min(0, low * 1.5), Math.max(0, high * 1.5)];
    const room = (high - low) * 0.1;
    const bottom = low >= 0 && low < high * 0.6 ? 0 : low - room;
    const top = high <= 0 && high > low * 0.6 ? 0 : high + room;
    return [bottom, top];
  }

  #timeLabels(splits) {
    let day = "";
    const days = splits.length > 1 && splits[1] - splits[0] >= 86_000_000;
    return splits.map((ms) => {
      const d = format.date(ms, this.zone);
      if (days) return d;
      const label = format.time(ms, this.zone) + (d === day ? "" : "\n" + d);
      day = d;
      return label;
    });
  }

  // #band shades what is not final, from the first open bucket on.
  #band(u) {
    const { open, times } = this.#data;
    if (open >= times.length) return;
    const { ctx, bbox } = u;
    const left = Math.max(bbox.left, Math.round(u.valToPos(times[open], "x", true)));
    const width = bbox.left + bbox.width - left;
    if (width <= 0) return;
    ctx.save();
    ctx.fillStyle = color("--chart-open");
    ctx.fillRect(left, bbox.top, width, bbox.height);
    ctx.strokeStyle = color("--chart-open-edge");
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  }

  #select(u) {
    if (u.select.width < 6) return;
    const from = u.posToVal(u.select.left, "x"), to = u.posToVal(u.select.left + u.select.width, "x");
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    const minute = 60_000;
    const start = Math.max(0, Math.floor(from / minute) * minute);
    this.on.zoom(start, Math.max(start + minute, Math.ceil(to / minute) * minute));
  }
}
