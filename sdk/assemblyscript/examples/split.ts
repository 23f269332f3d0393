// Sends rows to the route "big" whose price is at least the configured minimum.
import { Batch, Config, Kind, Manifest, Plan, Plugin, Type, register } from "../assembly";
export * from "../assembly/exports";

enum Routes { Small, Big }

class ByPrice extends Plugin {
  private minimum: f64 = 100;

  manifest(): Manifest {
    const m = new Manifest(Kind.Split, "by-price", "1.0.0");
    m.description = "Routes by price.";
    m.schema = '{"type":"object","properties":{"minimum":{"type":"number","minimum":0}},"additionalProperties":false}';
    return m;
  }

  configure(config: Config): string | null {
    const minimum = config.get("minimum");
    if (minimum) this.minimum = minimum.number();
    return null;
  }

  plan(): Plan {
    return new Plan().field("product.price", Type.F64).route("small").route("big");
  }

  process(batch: Batch): string | null {
    const price = batch.column(0);
    const minimum = this.minimum;
    for (let row: u32 = 0; row < batch.rows; row++) {
      if (price.valid(row)) batch.route(row, price.f64(row) >= minimum ? Routes.Big : Routes.Small);
    }
    return null;
  }
}

register(new ByPrice());
