// Reads a golden vector, lays out its batch as abi/SPEC.md says, and reads what is answered.

// A number keeps its text: it is a string behind this mark, which no JSON has unescaped.
const mark = "\u0001";

/** A golden vector. */
export function parse(line) {
  return JSON.parse(line.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (t) => (t[0] === '"' ? t : `"\\u0001${t}"`)));
}

/** The text of a number of a vector. */
export function number(v) {
  return typeof v === "string" && v.startsWith(mark) ? v.slice(mark.length) : undefined;
}

/** JSON of a value of a vector: as it was, but for white space. */
export function write(v) {
  if (number(v) !== undefined) return number(v);
  if (Array.isArray(v)) return `[${v.map(write).join(",")}]`;
  if (v === null || typeof v !== "object") return JSON.stringify(v);
  return `{${Object.entries(v).map(([k, e]) => `${JSON.stringify(k)}:${write(e)}`).join(",")}}`;
}

const KINDS = { filter: 1, split: 2, extract: 3 };
const TYPES = { str: 1, i64: 2, f64: 3, bool: 4, json: 5, any: 6, kind: 7 };
const MISSING = 0, NULL = 1, FALSE = 2, TRUE = 3, NUMBER = 4, STRING = 5, UNTYPED = 6, ARRAY = 7, OBJECT = 8;
const DEFAULTS = { $time: [NUMBER, "0"], $tenant: [STRING, "tenant"], $session: [STRING, "session"], $source: [STRING, "source"] };

// Words of a batch's header.
const H = {
  size: 0, kind: 1, rows: 2, columns: 3, columnsAt: 4, counters: 5, countersAt: 6, cells: 7, cellsAt: 8, slots: 9, slotsAt: 10,
  keepAt: 11, reasonsAt: 12, routesAt: 13, measurementsAt: 14, measurementsCap: 15, measurements: 16, tupleWidth: 17, tuplesAt: 18,
  tuplesCap: 19, tuples: 20, textAt: 21, textCap: 22, text: 23,
};

/** The batch before the call, with room for so many measurements, tuples and bytes of text. */
export function batch(kind, plan, vector, room) {
  const out = new Areas(128 + 32 * plan.fields.length);
  const rows = vector.beacons.length;
  const bitmap = (rows + 7) >> 3;
  out.words({ kind: KINDS[kind], rows, columns: plan.fields.length, columnsAt: 128, counters: plan.counters?.length ?? 0 });
  plan.fields.forEach((field, i) => column(out, i, field, vector));
  out.words({ countersAt: out.area(8 * (plan.counters?.length ?? 0)) });
  if (kind === "filter") out.words({ keepAt: out.area(bitmap), reasonsAt: out.area(rows) });
  if (kind === "split") out.words({ routesAt: out.area(new Uint8Array(2 * rows).fill(0xff)) });
  if (kind === "extract") measurements(out, plan, room);
  if (plan.cells?.length) {
    const names = sessionNames(vector);
    const slots = vector.beacons.map((b) => names.indexOf(nameOf(b)));
    cells(out, plan, slots, plan.cells.map(() => new Uint8Array(8 * names.length)));
  }
  return out.finish();
}

/** The batch of sessions that have ended, with the cells that their beacons left in a batch that was answered. */
export function closed(plan, answered, sessions, room) {
  const columns = 2 + plan.points.length;
  const out = new Areas(128 + 32 * columns);
  out.words({ kind: 4, rows: sessions.length, columns, columnsAt: 128, counters: plan.counters?.length ?? 0 });
  out.words({ countersAt: out.area(8 * (plan.counters?.length ?? 0)) });
  for (let i = 0; i < columns; i++) {
    const values = sessions.map((s) => [s.first, s.last, ...s.counted][i]);
    const descriptor = [TYPES.i64, 0, out.area(bits(values.map(() => true))), out.area(bytesOf(BigInt64Array.from(values, BigInt)))];
    descriptor.forEach((word, k) => out.word(128 + 32 * i + 4 * k, word));
  }
  measurements(out, plan, room);
  if (plan.cells?.length) {
    const at = (i) => new DataView(answered.buffer).getUint32(words(answered)[H.cellsAt] + 8 * i + 4, true);
    cells(out, plan, [...sessions.keys()], plan.cells.map((_, i) => answered.subarray(at(i), at(i) + 8 * sessions.length)));
  }
  return out.finish();
}

/** The sessions of a vector's beacons, and what a close is told of them. */
export function sessionsOf(vector, plan, answers) {
  return sessionNames(vector).map((name) => {
    const rows = [...vector.beacons.keys()].filter((row) => nameOf(vector.beacons[row]) === name);
    const times = rows.map((row) => Number(number(vector.beacons[row].$time) ?? 0));
    const measured = rows.flatMap((row) => answers[row]);
    const counted = plan.points.map((p) => measured.filter((m) => m.point === p.name && m.value !== null).length);
    return { name, first: times[0], last: times.at(-1), counted };
  });
}

function sessionNames(vector) {
  return [...new Set(vector.beacons.map(nameOf))];
}

function nameOf(beacon) {
  return beacon.$session ?? "session";
}

function measurements(out, plan, room) {
  const tupleWidth = width(plan);
  out.words({
    tupleWidth, measurementsAt: out.area(24 * room.measurements), measurementsCap: room.measurements,
    tuplesAt: out.area(8 * tupleWidth * room.tuples), tuplesCap: room.tuples, textAt: out.area(room.text), textCap: room.text,
  });
}

function width(plan) {
  return Math.max(0, ...plan.points.map((p) => p.attributes?.length ?? 0));
}

function cells(out, plan, slots, values) {
  const descriptors = plan.cells.flatMap((c, i) => [TYPES[c.type], out.area(values[i])]);
  out.words({
    cells: plan.cells.length, cellsAt: out.area(bytesOf(Uint32Array.from(descriptors))),
    slots: values[0].length / 8, slotsAt: out.area(bytesOf(Uint32Array.from(slots))),
  });
}

function column(out, i, field, vector) {
  const values = vector.beacons.map((b) => value(b[field.name], field.name, vector.untyped));
  const ok = values.map((v) => valid(field.type, v));
  const texts = values.map(([, text], row) => (ok[row] ? text : ""));
  const numbers = texts.map((t) => (t === "" ? 0 : Number(t)));
  const dictionary = [...new Set(texts.filter((_, row) => ok[row]))];
  let data = new Uint8Array(0);
  if (field.type === "i64") data = bytesOf(BigInt64Array.from(texts, (t) => (/[.eE]/.test(t) ? BigInt(Number(t)) : BigInt(t || 0))));
  if (field.type === "f64") data = bytesOf(Float64Array.from(numbers));
  if (field.type === "bool") data = bits(values.map(([kind]) => kind === TRUE));
  if (field.type === "any" || field.type === "kind") data = Uint8Array.from(values, ([kind]) => kind);
  if (field.dict) data = bytesOf(Uint32Array.from(texts, (t, row) => (ok[row] ? dictionary.indexOf(t) : 0)));
  const descriptor = [TYPES[field.type], field.dict ? 1 : 0, out.area(bits(ok)), out.area(data), 0, 0, 0, 0];
  if (["str", "json", "any"].includes(field.type)) {
    const entries = (field.dict ? (dictionary.length ? dictionary : [""]) : texts).map((t) => new TextEncoder().encode(t));
    const offsets = [0];
    for (const e of entries) offsets.push(offsets.at(-1) + e.length);
    const bytes = Uint8Array.from(entries.flatMap((e) => [...e]));
    descriptor.splice(4, 4, entries.length, out.area(bytesOf(Uint32Array.from(offsets))), out.area(bytes), bytes.length);
  }
  descriptor.forEach((word, k) => out.word(128 + 32 * i + 4 * k, word));
}

/** Kind and text of what a beacon has at a field. */
function value(v, name, untyped) {
  if (v === undefined) return DEFAULTS[name] ?? [MISSING, ""];
  if (v === null) return [NULL, ""];
  if (v === true) return [TRUE, "true"];
  if (v === false) return [FALSE, "false"];
  if (number(v) !== undefined) return [NUMBER, number(v)];
  if (typeof v === "string") return [untyped ? UNTYPED : STRING, v];
  return [Array.isArray(v) ? ARRAY : OBJECT, write(v)];
}

function valid(type, [kind, text]) {
  const isNumber = (kind === NUMBER || kind === UNTYPED) && /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text);
  switch (type) {
    case "str": return kind >= FALSE && kind <= UNTYPED;
    case "i64": return isNumber && Number.isInteger(Number(text)) && Math.abs(Number(text)) < 2 ** 63;
    case "f64": return isNumber;
    case "bool": return kind === FALSE || kind === TRUE;
    case "json": return kind >= ARRAY;
    default: return kind > MISSING;
  }
}

/** What an output that was too small needs. */
export function needed(bytes) {
  const w = words(bytes);
  return { measurements: w[H.measurements], tuples: w[H.tuples], text: w[H.text] };
}

/** The answers to the rows, and the counters by name. */
export function read(kind, plan, answered) {
  const bytes = answered.slice(); // aligned
  const w = words(bytes);
  const view = new DataView(bytes.buffer);
  const rows = [...Array(w[H.rows]).keys()];
  const counters = {};
  plan.counters?.forEach((name, i) => (counters[name] = view.getBigUint64(w[H.countersAt] + 8 * i, true)));
  if (kind === "filter") {
    const kept = (row) => bytes[w[H.keepAt] + (row >> 3)] >> (row & 7) & 1;
    return { counters, answers: rows.map((row) => (kept(row) ? null : plan.reasons[bytes[w[H.reasonsAt] + row]])) };
  }
  if (kind === "split") {
    return { counters, answers: rows.map((row) => plan.routes[view.getUint16(w[H.routesAt] + 2 * row, true)] ?? null) };
  }
  const answers = rows.map(() => []);
  for (let i = 0; i < w[H.measurements]; i++) {
    const at = w[H.measurementsAt] + 24 * i;
    const point = plan.points[view.getUint32(at + 4, true)];
    const value = view.getFloat64(at + 16, true);
    answers[view.getUint32(at, true)].push({
      point: point.name,
      value: Math.abs(value) <= 1e9 ? value : null,
      attributes: attributes(bytes, view, w, point, view.getUint32(at + 8, true), width(plan)),
    });
  }
  return { counters, answers };
}

function attributes(bytes, view, w, point, tuple, width) {
  if (tuple === 0) return {};
  const found = point.attributes.map((name, i) => {
    const at = w[H.tuplesAt] + 8 * ((tuple - 1) * width + i);
    const from = view.getUint32(at, true);
    return [name, new TextDecoder().decode(bytes.subarray(from, from + view.getUint32(at + 4, true)))];
  });
  return Object.fromEntries(found.filter(([, text]) => text).sort());
}

function words(bytes) {
  return new Uint32Array(bytes.slice(0, 128).buffer);
}

function bytesOf(array) {
  return new Uint8Array(array.buffer);
}

function bits(flags) {
  const bitmap = new Uint8Array((flags.length + 7) >> 3);
  flags.forEach((on, i) => (bitmap[i >> 3] |= on << (i & 7)));
  return bitmap;
}

/** A batch that is being laid out. */
class Areas {
  constructor(size) {
    this.bytes = new Uint8Array(size);
  }

  word(at, value) {
    new DataView(this.bytes.buffer).setUint32(at, value, true);
  }

  /** Sets words of the header by their names. */
  words(values) {
    for (const [name, value] of Object.entries(values)) this.word(4 * H[name], value);
  }

  /** Adds bytes, or so many zero bytes, and gives their position. */
  area(content) {
    if (typeof content === "number") content = new Uint8Array(content);
    const at = this.bytes.length;
    const grown = new Uint8Array((at + content.length + 7) & ~7);
    grown.set(this.bytes);
    grown.set(content, at);
    this.bytes = grown;
    return at;
  }

  finish() {
    this.words({ size: this.bytes.length });
    return this.bytes;
  }
}
