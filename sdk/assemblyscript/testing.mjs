// Runs the golden vectors of a module in node, without the host. AssemblyScript has no native target: what is tried is the
// module, by another engine than the host's.
//
//   node testing.mjs MODULE.wasm…          runs MODULE.golden.ndjson
//   import { golden } from "pharos/testing"; await golden("build/mine.wasm")
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { batch, closed, needed, number, parse, read, sessionsOf, write } from "./testing-batch.mjs";

/** Runs the vectors beside a module and returns how many there are. Throws an error with all that is answered otherwise. */
export async function golden(path, vectors = path.replace(/\.wasm$/, ".golden.ndjson")) {
  const module = await WebAssembly.compile(await readFile(path));
  const lines = (await readFile(vectors, "utf8")).split("\n");
  const faults = [];
  let n = 0;
  for (const [i, line] of lines.entries()) {
    if (!line.trim()) continue;
    n++;
    try {
      await run(module, parse(line));
    } catch (e) {
      faults.push(`${vectors}, line ${i + 1}: ${e.message}`);
    }
  }
  if (n === 0) faults.push(`${vectors} has no vectors`);
  if (faults.length) throw new Error(faults.join("\n"));
  return n;
}

async function run(module, vector) {
  const guest = new Guest(await WebAssembly.instantiate(module, {}));
  const manifest = JSON.parse(guest.text("pharos_manifest"));
  const refused = guest.configure(vector.config ?? {}, vector.data ?? {});
  const wanted = vector.expect.error;
  if (wanted !== undefined && (refused === null || refused.includes(wanted))) return; // the schema is for the host to check
  if (refused !== null) throw new Error(`the config is refused: ${refused}`);
  const plan = JSON.parse(guest.text("pharos_plan"));
  const answered = call(guest, "pharos_process", (room) => batch(manifest.kind, plan, vector, room));
  const { answers, counters } = read(manifest.kind, plan, answered);
  compare("beacon", answers, vector.expect.map(normal));
  if (vector.close) {
    const sessions = sessionsOf(vector, plan, answers);
    const ended = read(manifest.kind, plan, call(guest, "pharos_close", (room) => closed(plan, answered, sessions, room)));
    compare("end of session", ended.answers, sessions.map((s) => normal(vector.close[s.name] ?? [])));
    for (const name in counters) counters[name] += ended.counters[name];
  }
  for (const [name, want] of Object.entries(vector.counters ?? {})) {
    if (counters[name] !== BigInt(number(want))) throw new Error(`counter ${name}: answered ${counters[name]}, expected ${number(want)}`);
  }
}

/** Has a batch answered, with too little room at first, so that a plugin counts on. */
function call(guest, name, lay) {
  let room = { measurements: 0, tuples: 0, text: 0 };
  for (;;) {
    const bytes = lay(room);
    const at = guest.place(bytes);
    const code = guest.call(name, at);
    if (code > 1) throw new Error(guest.text("pharos_error"));
    const answered = guest.bytes(at, bytes.length).slice();
    if (code === 0) return answered;
    room = needed(answered);
  }
}

function compare(what, answers, wanted) {
  answers.forEach((got, i) => {
    if (JSON.stringify(got) !== JSON.stringify(wanted[i])) {
      throw new Error(`${what} ${i}: answered ${JSON.stringify(got)}, expected ${JSON.stringify(wanted[i])}`);
    }
  });
}

/** An entry of expect in the form of what is read. */
function normal(entry) {
  if (!Array.isArray(entry)) return entry;
  return entry.map(({ point, value, attributes }) => ({
    point,
    value: value === null ? null : value === undefined ? 1 : Number(number(value)),
    attributes: Object.fromEntries(Object.entries(attributes ?? {}).filter(([, text]) => text).sort()),
  }));
}

/** A configured instance. */
class Guest {
  size = 0;

  constructor({ exports }) {
    this.exports = exports;
    exports._initialize?.();
    if (exports.pharos_abi() !== 1) throw new Error("the module is not of ABI version 1");
  }

  call(name, ...params) {
    return this.exports[name](...params);
  }

  bytes(at, length) {
    return new Uint8Array(this.exports.memory.buffer, at >>> 0, length);
  }

  text(name) {
    const packed = BigInt.asUintN(64, this.call(name));
    return new TextDecoder().decode(this.bytes(Number(packed >> 32n), Number(packed & 0xffffffffn)));
  }

  alloc(size) {
    const at = this.call("pharos_alloc", size, 8);
    if (at === 0) throw new Error(`no memory for ${size} bytes`);
    return at >>> 0;
  }

  /** Puts a batch into the arena. */
  place(bytes) {
    if (bytes.length > this.size) {
      this.size = bytes.length;
      this.arena = this.alloc(this.size);
    }
    this.bytes(this.arena, bytes.length).set(bytes);
    return this.arena;
  }

  /** Gives the error of a config that is refused, else null. */
  configure(config, data) {
    const files = Object.entries(data).map(([name, text]) => [name, new TextEncoder().encode(text)]);
    const aligned = (n) => (n + 7) & ~7;
    const size = files.reduce((sum, [, bytes]) => sum + aligned(bytes.length), 0);
    const document = (base) => {
      let at = base;
      const entries = files.map(([name, bytes]) => {
        const entry = `${JSON.stringify(name)}:{"ptr":${at},"len":${bytes.length}}`;
        at += aligned(bytes.length);
        return entry;
      });
      return new TextEncoder().encode(`{"config":${write(config)},"data":{${entries.join(",")}}}`);
    };
    const base = this.alloc(size + document(0xffffffff).length);
    let at = base;
    for (const [, bytes] of files) {
      this.bytes(at, bytes.length).set(bytes);
      at += aligned(bytes.length);
    }
    const text = document(base);
    this.bytes(at, text.length).set(text);
    return this.call("pharos_configure", at, text.length) === 0 ? null : this.text("pharos_error");
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.length < 3) {
    console.error("usage: node testing.mjs MODULE.wasm…");
    process.exit(2);
  }
  for (const path of process.argv.slice(2)) console.log(`${path}: ${await golden(path)} golden vectors hold`);
}
