//! Runs a plugin natively, in ordinary tests, on batches that are laid out as for the module:
//!
//! ```ignore
//! #[cfg(test)]
//! #[test]
//! fn golden() {
//!     pharos::testing::golden::<Internal>(include_str!("filter.golden.ndjson"));
//! }
//! ```

mod layout;

use crate::{Batch, Config, Error, Json, Plugin};
use layout::{Layout, Names, Room};
use std::borrow::ToOwned;
use std::boxed::Box;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// Runs golden vectors (abi/SPEC.md, section 11), one a line, and panics with all that is answered otherwise. That the
/// schema refuses a config is for the host to check: a plugin that accepts such a config is not at fault.
pub fn golden<P: Plugin>(vectors: &str) {
    let mut faults = Vec::new();
    for (i, line) in vectors.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let vector = Json::new(Box::leak(line.to_owned().into_bytes().into_boxed_slice()));
        if let Err(e) = run::<P>(vector) {
            faults.push(format!("golden vector, line {}: {}", i + 1, e));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn run<P: Plugin>(vector: Json<'static>) -> Result<(), String> {
    let expect = vector.get("expect").ok_or("expect is missing")?;
    let refused = expect.get("error").and_then(|e| e.as_str());
    let mut plugin = match (P::configure(&Config::read(document(vector))), refused) {
        (Ok(_), Some(_)) => return Ok(()),
        (Ok(plugin), None) => plugin,
        (Err(e), Some(want)) if e.text().contains(want) => return Ok(()),
        (Err(e), _) => return Err(format!("the config is refused: {}", e.text())),
    };
    let names = Names::read(Json::new(plugin.plan().json().as_bytes()));
    let layout = Layout::new(P::MANIFEST.kind, &names, vector);
    let memory = call(&mut plugin, P::MANIFEST.kind as usize + 1, P::process, |room| layout.memory(room))?;
    let want: Vec<String> = expect.elements().map(layout::expected).collect();
    same(&layout.answers(&memory), &want)?;
    let mut counted = layout.counters(&memory);
    if let Some(ends) = vector.get("close") {
        let sessions = layout.sessions(&memory);
        let memory = call(&mut plugin, 4, P::close, |room| layout.closed(&memory, &sessions, room))?;
        let of = |name: &String| ends.members().find(|(k, _)| k.is(name)).map_or("[]".to_string(), |(_, v)| layout::expected(v));
        let want: Vec<String> = sessions.iter().map(|s| of(&s.name)).collect();
        same(&layout.answers(&memory), &want).map_err(|e| format!("ends of sessions: {}", e))?;
        counted.iter_mut().zip(layout.counters(&memory)).for_each(|(sum, n)| *sum += n);
    }
    for (name, want) in vector.get("counters").iter().flat_map(|c| c.members()) {
        let got = names.counters.iter().position(|n| name.is(n)).map(|i| counted[i] as i64);
        if got != want.as_i64() {
            return Err(format!("counter {}: answered {:?}, expected {:?}", name.as_str().unwrap_or(""), got, want.as_i64()));
        }
    }
    Ok(())
}

/// Has a batch answered, with too little room at first, so that a plugin counts on.
fn call<P>(plugin: &mut P, kind: usize, f: fn(&mut P, &Batch) -> Result<(), Error>, memory: impl Fn(&Room) -> Vec<u64>) -> Result<Vec<u64>, String> {
    let mut room = Room::default();
    loop {
        let mut memory = memory(&room);
        // The layout is that of abi/SPEC.md, and the memory is aligned to 8.
        let batch = unsafe { Batch::new(memory.as_mut_ptr().cast(), kind) };
        f(plugin, &batch).map_err(|e| e.text().to_string())?;
        if batch.finish() {
            return Ok(memory);
        }
        room = layout::needed(&memory);
    }
}

fn same(got: &[String], want: &[String]) -> Result<(), String> {
    if got == want {
        return Ok(());
    }
    Err(format!("answered {}, expected {}", got.join(", "), want.join(", ")))
}

/// The document that a host passes, with the data files of a vector.
fn document(vector: Json<'static>) -> &'static [u8] {
    let config = vector.get("config").map_or(&b"{}"[..], |c| c.raw());
    let mut out = format!("{{\"config\":{},\"data\":{{", String::from_utf8_lossy(config));
    for (i, (name, text)) in vector.get("data").iter().flat_map(|d| d.members()).enumerate() {
        let text = text.as_str().unwrap_or("");
        let comma = if i > 0 { "," } else { "" };
        out += &format!("{}{}:{{\"ptr\":{},\"len\":{}}}", comma, String::from_utf8_lossy(name.raw()), text.as_ptr() as usize, text.len());
    }
    Box::leak((out + "}}").into_bytes().into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::golden;
    use crate::{memory, Batch, Config, Error, Kind, Manifest, Plan, Plugin, Type};

    /// Measures what its fields say, numbers the beacons of a session, and sums up their prices.
    struct All {
        buffer: &'static mut [u8],
    }

    impl Plugin for All {
        const MANIFEST: Manifest = Manifest { kind: Kind::Extract, name: "all", version: "1", description: "", schema: "" };

        fn configure(config: &Config) -> Result<Self, Error> {
            match config.data("list") {
                Some(b"") => Err("the list is empty".into()),
                _ => Ok(All { buffer: memory::slice(64, 0) }),
            }
        }

        fn plan(&self) -> Plan {
            let fields = Plan::new().field("n", Type::I64).field("price", Type::F64).field("q", Type::Any).field("j", Type::Json).dict("$session").field("q", Type::Kind);
            fields.point("row", &["kind", "session", "name"]).point("sum", &[]).cell("rows", Type::I64).cell("sum", Type::F64).counter("n")
        }

        fn process(&mut self, batch: &Batch) -> Result<(), Error> {
            let [n, price, q, j, session, kinds] = [0, 1, 2, 3, 4, 5].map(|i| batch.column(i));
            let (rows, sum) = (batch.cell::<i64>(0), batch.cell::<f64>(1));
            for row in 0..batch.rows() {
                rows.set(row, rows.get(row) + 1);
                sum.set(row, sum.get(row) + price.f64(row));
                assert!(q.kind(row) == kinds.kind(row));
                let kind = [b'0' + q.kind(row) as u8];
                let name = j.json(row).and_then(|j| j.get("name")?.copy_str(self.buffer)).unwrap_or("");
                batch.measure(row, 0, rows.get(row) as f64, &[&kind, session.text(row), name.as_bytes()]);
                batch.measure(row, 1, sum.get(row), &[]);
                batch.count(0, n.i64(row) as u64);
            }
            Ok(())
        }
    }

    const ANSWERS: &str = r#"{"beacons": [
        {"n": 5.0, "price": 1.5, "q": null, "$session": "a"},
        {"n": 1e1, "price": "1", "q": [1], "$session": "b"},
        {"n": 0.5, "price": 1e400, "q": "x", "$session": "a"},
        {"j": {"name": "a\u00e9\ud83d\ude00"}, "price": 2}],
      "expect": [
        [{"point": "row", "attributes": {"kind": "1", "session": "a"}}, {"point": "sum", "value": 1.5}],
        [{"point": "row", "attributes": {"kind": "7", "session": "b"}}, {"point": "sum", "value": 0}],
        [{"point": "row", "value": 2, "attributes": {"kind": "5", "session": "a"}}, {"point": "sum", "value": null}],
        [{"point": "row", "attributes": {"kind": "0", "session": "session", "name": "aé😀"}}, {"point": "sum", "value": 2}]],
      "counters": {"n": 15}}"#;

    #[test]
    fn answers() {
        golden::<All>(&ANSWERS.replace('\n', " "));
        golden::<All>(r#"{"data": {"list": ""}, "expect": {"error": "list is empty"}}"#);
    }

    #[test]
    #[should_panic(expected = "golden vector, line 1: answered")]
    fn other_answers() {
        golden::<All>(r#"{"beacons": [{}], "expect": [[]]}"#);
    }

    #[test]
    #[should_panic(expected = "counter n: answered Some(0), expected Some(1)")]
    fn other_counters() {
        let answer = r#"[{"point": "row", "attributes": {"kind": "0", "session": "session"}}, {"point": "sum", "value": 0}]"#;
        golden::<All>(&std::format!(r#"{{"beacons": [{{}}], "expect": [{}], "counters": {{"n": 1}}}}"#, answer));
    }

    #[test]
    #[should_panic(expected = "the config is refused: the list is empty")]
    fn refused() {
        golden::<All>(r#"{"data": {"list": ""}, "beacons": [{}], "expect": [[]]}"#);
    }
}
