//! Measures each row with a text of its own making, for a test of the text output: the row's text twice, beside the text
//! itself; and of the columns that no example has.
#![cfg_attr(target_arch = "wasm32", no_std)]

use pharos::{memory, Batch, Config, Error, Kind, Manifest, Plan, Plugin, Type};

struct Text {
    twice: &'static mut [u8],
}

const MOST: usize = 4096;

impl Plugin for Text {
    const MANIFEST: Manifest = Manifest { kind: Kind::Extract, name: "text", version: "1", description: "", schema: "" };

    fn configure(_: &Config) -> Result<Self, Error> {
        Ok(Text { twice: memory::slice(2 * MOST, 0) })
    }

    fn plan(&self) -> Plan {
        Plan::new()
            .field("s", Type::Str)
            .field("a", Type::Any)
            .field("i", Type::I64)
            .field("b", Type::Bool)
            .point("row", &["text", "twice"])
            .point("kind", &[])
            .point("integer", &[])
            .point("true", &[])
    }

    fn process(&mut self, batch: &Batch) -> Result<(), Error> {
        let (s, a, i, b) = (batch.column(0), batch.column(1), batch.column(2), batch.column(3));
        for row in 0..batch.rows() {
            let text = s.text(row);
            let twice = self.twice.get_mut(..2 * text.len()).ok_or("the text is too long")?;
            twice[..text.len()].copy_from_slice(text);
            twice[text.len()..].copy_from_slice(text);
            batch.measure(row, 0, 1.0, &[text, twice]);
            batch.measure(row, 1, a.kind(row) as u8 as f64, &[]);
            if i.valid(row) {
                batch.measure(row, 2, i.i64(row) as f64, &[]);
            }
            if b.bool(row) {
                batch.measure(row, 3, 1.0, &[]);
            }
        }
        Ok(())
    }
}

pharos::export!(Text);
