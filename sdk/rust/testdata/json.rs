//! Refuses its config with what it reads of it, for a test of the JSON reader: strings decoded and quoted again, numbers as
//! a string of what they are written as and the bits of the double. The data file `whole` is given as a string.
#![cfg_attr(target_arch = "wasm32", no_std)]

use core::fmt::Write;
use pharos::memory::Text;
use pharos::{Batch, Config, Error, Json, Kind, Manifest, Plan, Plugin};

struct Echo;

impl Plugin for Echo {
    const MANIFEST: Manifest = Manifest { kind: Kind::Filter, name: "json", version: "1", description: "", schema: "" };

    fn configure(config: &Config) -> Result<Self, Error> {
        let mut out = Text::new();
        out.push("[");
        put(&mut out, config.json());
        out.push(",");
        out.push_quoted(core::str::from_utf8(config.data("whole").unwrap_or(b"none")).unwrap());
        out.push(",[");
        out.push_quoted(config.get("a\"é").and_then(|v| v.get("b")).and_then(|v| v.as_str()).unwrap_or_default());
        out.push("]]");
        Err(out.into())
    }

    fn plan(&self) -> Plan {
        Plan::new()
    }

    fn process(&mut self, _: &Batch) -> Result<(), Error> {
        Err("only the config is tried".into())
    }
}

fn put(out: &mut Text, v: Json) {
    let raw = core::str::from_utf8(v.raw()).unwrap();
    if let Some(text) = v.as_str() {
        out.push_quoted(text);
    } else if let Some(n) = v.as_f64() {
        let _ = write!(out, "\"{} {:016x}\"", raw, n.to_bits());
    } else if v.is_null() || v.as_bool().is_some() {
        out.push(raw);
    } else if raw.starts_with('[') {
        for (i, e) in v.elements().enumerate() {
            out.push(if i == 0 { "[" } else { "," });
            put(out, e);
        }
        out.push(if v.elements().count() == 0 { "[]" } else { "]" });
    } else {
        for (i, (key, e)) in v.members().enumerate() {
            out.push(if i == 0 { "{" } else { "," });
            out.push_quoted(key.as_str().unwrap());
            out.push(":");
            put(out, e);
        }
        out.push(if v.members().count() == 0 { "{}" } else { "}" });
    }
}

pharos::export!(Echo);
