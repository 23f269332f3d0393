// Refuses its config with what it reads of it, for a test of the JSON reader: strings decoded and quoted again, numbers as a
// string of what they are written as and the bits of the double. The data file `whole` is given as a string.
import { Batch, Config, Json, Kind, Manifest, Plan, Plugin, register, text } from "../assembly";
import { quote } from "../assembly/plan";
export * from "../assembly/exports";

function put(v: Json): string {
  if (v.isString) return quote(v.string());
  if (v.isNumber) return '"' + text(v.raw) + " " + reinterpret<u64>(v.number()).toString(16).padStart(16, "0") + '"';
  if (v.isArray) return "[" + v.elements().map<string>((e: Json) => put(e)).join(",") + "]";
  if (!v.isObject) return text(v.raw);
  const members: string[] = [];
  for (let i = 0, keys = v.keys(); i < keys.length; i++) members.push(quote(keys[i]) + ":" + put(v.get(keys[i])!));
  return "{" + members.join(",") + "}";
}

class Echo extends Plugin {
  manifest(): Manifest {
    return new Manifest(Kind.Filter, "json", "1");
  }

  configure(config: Config): string | null {
    const a = config.get('a"é');
    const b = a ? a.get("b") : null;
    return "[" + put(config.json()) + "," + quote(text(config.data("whole"))) + ",[" + quote(b ? b.string() : "") + "]]";
  }

  plan(): Plan {
    return new Plan();
  }

  process(batch: Batch): string | null {
    return "only the config is tried";
  }
}

register(new Echo());
