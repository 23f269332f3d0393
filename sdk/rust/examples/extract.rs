//! Measures image clicks with the image and its slot, and counts what has none.
#![cfg_attr(target_arch = "wasm32", no_std)]

use pharos::{Batch, Config, Error, Kind, Manifest, Plan, Plugin, Type};

// Columns.
const TYPE: usize = 0;
const IMAGE: usize = 1;
const SLOT: usize = 2;
const WEIGHT: usize = 3;

// Points.
const CLICK: usize = 0;
const CLICK_WEIGHT: usize = 1;

// Counters.
const WITHOUT_IMAGE: usize = 0;

struct Images;

impl Plugin for Images {
    const MANIFEST: Manifest = Manifest {
        kind: Kind::Extract,
        name: "images",
        version: "1.0.0",
        description: "Image clicks by image and slot.",
        schema: r#"{"type":"object","additionalProperties":false}"#,
    };

    fn configure(_: &Config) -> Result<Self, Error> {
        Ok(Images)
    }

    fn plan(&self) -> Plan {
        Plan::new()
            .dict("type")
            .field("img.id", Type::Str)
            .field("img.slot", Type::Str)
            .field("weight", Type::F64)
            .point("image_click", &["image", "slot"])
            .point("image_weight", &[])
            .counter("without_image")
    }

    fn process(&mut self, batch: &Batch) -> Result<(), Error> {
        let (kind, image, slot, weight) = (batch.column(TYPE), batch.column(IMAGE), batch.column(SLOT), batch.column(WEIGHT));
        let click = match kind.find(b"click") {
            Some(code) => code,
            None => return Ok(()),
        };
        for row in 0..batch.rows() {
            if kind.code(row) != click || !kind.valid(row) {
                continue;
            }
            let (image, slot) = (image.text(row), slot.text(row));
            if image.is_empty() && slot.is_empty() {
                batch.count(WITHOUT_IMAGE, 1);
            }
            batch.measure(row, CLICK, 1.0, &[image, slot]);
            if weight.valid(row) {
                batch.measure(row, CLICK_WEIGHT, weight.f64(row), &[]);
            }
        }
        Ok(())
    }
}

pharos::export!(Images);

#[cfg(test)]
#[test]
fn golden() {
    pharos::testing::golden::<Images>(include_str!("extract.golden.ndjson"));
}
