import { Batch } from "./batch";
import { Json } from "./json";
import { Plan, quote } from "./plan";
import { Slice, slice } from "./slice";

/** What a plugin does. */
export enum Kind {
  Filter,
  Split,
  Extract,
}

const kinds: string[] = ["filter", "split", "extract"];

/** Says what a plugin is. */
export class Manifest {
  /** What the plugin does, in a sentence. */
  description: string = "";
  /** The JSON Schema of its config; empty: any. Its defaults are not filled in. */
  schema: string = "";

  constructor(public kind: Kind, public name: string, public version: string) {}

  /** @internal */
  json(): string {
    let out = '{"kind":"' + kinds[this.kind] + '","name":' + quote(this.name) + ',"version":' + quote(this.version);
    if (this.description.length > 0) out += ',"description":' + quote(this.description);
    if (this.schema.length > 0) out += ',"config":' + this.schema;
    return out + "}";
  }
}

/** A plugin's config and data files. What slices of it point to stays as long as the instance. */
export class Config {
  private config: Json;
  private files: Json;

  /** @internal */
  constructor(document: Json) {
    this.config = document.get("config")!;
    this.files = document.get("data")!;
  }

  /** The config, an object. It is as the manifest's schema wants it. */
  json(): Json {
    return this.config;
  }

  /** The value of a key of the config, null if it is not there. */
  get(key: string): Json | null {
    return this.config.get(key);
  }

  /** Tells whether the user has named a data file. */
  has(name: string): bool {
    return this.files.get(name) != null;
  }

  /** The content of a data file; empty if there is none. */
  data(name: string): Slice {
    const entry = this.files.get(name);
    if (!entry) return 0;
    return slice(usize(entry.get("ptr")!.number()), u32(entry.get("len")!.number()));
  }
}

/** A plugin. */
export abstract class Plugin {
  /** What the plugin is. */
  abstract manifest(): Manifest;

  /** Takes the config, once an instance. A text refuses it. */
  configure(config: Config): string | null {
    return null;
  }

  /** The fields that the plugin wants, and what it may answer: a function of the config. */
  abstract plan(): Plan;

  /** Answers for every row of a batch. A text is an error: the host looks for the guilty rows. */
  abstract process(batch: Batch): string | null;

  /**
   * Answers for every row of a batch of sessions that have ended, if the module also has
   * `export * from "pharos/assembly/close"`. The plan's columns are not there, but first, last, counted and the cells.
   */
  close(batch: Batch): string | null {
    return "the plugin does not close sessions";
  }
}

let registered: Plugin | null = null;

/** Makes a plugin the module's. Call it once. */
export function register(plugin: Plugin): void {
  registered = plugin;
}

/** @internal */
export function plugin(): Plugin {
  return registered!;
}
