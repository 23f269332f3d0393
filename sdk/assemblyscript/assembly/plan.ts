/** The type of a column, or of a session cell. */
export enum Type {
  /** Text: a string, or a number, true or false as written. */
  Str,
  /** An integer in range. */
  I64,
  /** A number. */
  F64,
  /** true or false. */
  Bool,
  /** An array or object. */
  Json,
  /** Anything; Column.kind says what. */
  Any,
  /** The kind of anything, without its text. */
  Kind,
}

const types: string[] = ["str", "i64", "f64", "bool", "json", "any", "kind"];

/** The fields that a plugin wants, and what it may answer. Indexes in a batch are those of the order here. */
export class Plan {
  private fields: string[] = [];
  private reasons: string[] = [];
  private routes: string[] = [];
  private points: string[] = [];
  private cells: string[] = [];
  private counters: string[] = [];

  /** Adds a column: a path into the beacon, a name of the source's, $time, $tenant, $session or $source. */
  field(name: string, type: Type): Plan {
    this.fields.push('{"name":' + quote(name) + ',"type":"' + types[type] + '"}');
    return this;
  }

  /** Adds a column of texts in the dictionary form: best for fields of few values. */
  dict(name: string): Plan {
    this.fields.push('{"name":' + quote(name) + ',"type":"str","dict":true}');
    return this;
  }

  /** Adds a reason why rows are dropped (filter). */
  reason(name: string): Plan {
    this.reasons.push(quote(name));
    return this;
  }

  /** Adds a route (splitter). */
  route(name: string): Plan {
    this.routes.push(quote(name));
    return this;
  }

  /** Adds a measurement point with the names of its attributes (extractor). */
  point(name: string, attributes: string[] = []): Plan {
    this.points.push('{"name":' + quote(name) + list("attributes", attributes.map<string>((a: string) => quote(a))) + "}");
    return this;
  }

  /** Adds a cell, I64 or F64, that the host keeps for each session (extractor). */
  cell(name: string, type: Type): Plan {
    this.cells.push('{"name":' + quote(name) + ',"type":"' + types[type] + '"}');
    return this;
  }

  /** Adds a counter. */
  counter(name: string): Plan {
    this.counters.push(quote(name));
    return this;
  }

  /** @internal */
  json(): string {
    return (
      '{"fields":[' + this.fields.join(",") + "]" + list("reasons", this.reasons) + list("routes", this.routes) +
      list("points", this.points) + list("cells", this.cells) + list("counters", this.counters) + "}"
    );
  }
}

/** A member that is an array, behind a comma; nothing if it is empty. */
function list(key: string, elements: string[]): string {
  return elements.length == 0 ? "" : ',"' + key + '":[' + elements.join(",") + "]";
}

/** Writes a JSON string. */
export function quote(s: string): string {
  let out = '"';
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c == 0x22 || c == 0x5c) {
      out += "\\" + s.charAt(i);
    } else if (c < 0x20) {
      out += "\\u00" + (c < 16 ? "0" : "") + c.toString(16);
    } else {
      out += s.charAt(i);
    }
  }
  return out + '"';
}
