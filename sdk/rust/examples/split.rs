//! Sends rows to the route "big" whose price is at least the configured minimum.
#![cfg_attr(target_arch = "wasm32", no_std)]

use pharos::{Batch, Config, Error, Kind, Manifest, Plan, Plugin, Type};

// Routes.
const SMALL: usize = 0;
const BIG: usize = 1;

struct ByPrice {
    minimum: f64,
}

impl Plugin for ByPrice {
    const MANIFEST: Manifest = Manifest {
        kind: Kind::Split,
        name: "by-price",
        version: "1.0.0",
        description: "Routes by price.",
        schema: r#"{"type":"object","properties":{"minimum":{"type":"number","minimum":0}},"additionalProperties":false}"#,
    };

    fn configure(config: &Config) -> Result<Self, Error> {
        let minimum = config.get("minimum").and_then(|v| v.as_f64()).unwrap_or(100.0);
        Ok(ByPrice { minimum })
    }

    fn plan(&self) -> Plan {
        Plan::new().field("product.price", Type::F64).route("small").route("big")
    }

    fn process(&mut self, batch: &Batch) -> Result<(), Error> {
        let price = batch.column(0);
        for row in 0..batch.rows() {
            if price.valid(row) {
                batch.route(row, if price.f64(row) >= self.minimum { BIG } else { SMALL });
            }
        }
        Ok(())
    }
}

pharos::export!(ByPrice);

#[cfg(test)]
#[test]
fn golden() {
    pharos::testing::golden::<ByPrice>(include_str!("split.golden.ndjson"));
}
