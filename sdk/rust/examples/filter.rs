//! Drops beacons of internal visitors: a flag, or an address that begins with the configured prefix.
#![cfg_attr(target_arch = "wasm32", no_std)]

use pharos::{has_prefix, Batch, Config, Error, Kind, Manifest, Plan, Plugin, Type};

// Columns.
const INTERNAL: usize = 0;
const REMOTE: usize = 1;

struct Internal {
    prefix: &'static str,
}

impl Plugin for Internal {
    const MANIFEST: Manifest = Manifest {
        kind: Kind::Filter,
        name: "internal",
        version: "1.0.0",
        description: "Drops beacons of internal visitors.",
        schema: r#"{"type":"object","properties":{"prefix":{"type":"string"}},"additionalProperties":false}"#,
    };

    fn configure(config: &Config) -> Result<Self, Error> {
        let prefix = config.get("prefix").and_then(|v| v.as_str()).unwrap_or_default();
        Ok(Internal { prefix })
    }

    fn plan(&self) -> Plan {
        Plan::new().field("internal", Type::Bool).field("remote", Type::Str).reason("internal")
    }

    fn process(&mut self, batch: &Batch) -> Result<(), Error> {
        let (internal, remote) = (batch.column(INTERNAL), batch.column(REMOTE));
        let prefix = self.prefix.as_bytes();
        for row in 0..batch.rows() {
            if internal.bool(row) || !prefix.is_empty() && has_prefix(remote.text(row), prefix) {
                batch.drop(row, 0);
            } else {
                batch.keep(row);
            }
        }
        Ok(())
    }
}

pharos::export!(Internal);

#[cfg(test)]
#[test]
fn golden() {
    pharos::testing::golden::<Internal>(include_str!("filter.golden.ndjson"));
}
