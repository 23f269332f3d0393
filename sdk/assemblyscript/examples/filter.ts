// Drops beacons of internal visitors: a flag, or an address that begins with the configured prefix.
import { Batch, Config, Kind, Manifest, Plan, Plugin, Slice, Type, hasPrefix, length, register } from "../assembly";
export * from "../assembly/exports";

enum Columns { Internal, Remote }

class Internal extends Plugin {
  private prefix: Slice = 0;

  manifest(): Manifest {
    const m = new Manifest(Kind.Filter, "internal", "1.0.0");
    m.description = "Drops beacons of internal visitors.";
    m.schema = '{"type":"object","properties":{"prefix":{"type":"string"}},"additionalProperties":false}';
    return m;
  }

  configure(config: Config): string | null {
    const prefix = config.get("prefix");
    if (prefix) this.prefix = prefix.slice();
    return null;
  }

  plan(): Plan {
    return new Plan().field("internal", Type.Bool).field("remote", Type.Str).reason("internal");
  }

  process(batch: Batch): string | null {
    const internal = batch.column(Columns.Internal);
    const remote = batch.column(Columns.Remote);
    const prefix = this.prefix;
    for (let row: u32 = 0; row < batch.rows; row++) {
      if (internal.bool(row) || (length(prefix) > 0 && hasPrefix(remote.slice(row), prefix))) batch.drop(row, 0);
      else batch.keep(row);
    }
    return null;
  }
}

register(new Internal());
