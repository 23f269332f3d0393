//! Lays out the batch of a golden vector, and reads what is answered.

use crate::batch::{self, Measurement};
use crate::{Json, Kind, ValueKind};
use std::borrow::ToOwned;
use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// What a plan names.
pub struct Names {
    fields: Vec<Field>,
    answers: Vec<String>, // reasons or routes
    points: Vec<(String, Vec<String>)>,
    cells: Vec<u32>, // types
    pub counters: Vec<String>,
}

struct Field {
    name: String,
    kind: u32,
    dict: bool,
}

impl Names {
    pub fn read(plan: Json) -> Names {
        let list = |key| elements(plan, key);
        let text = |v: Json| v.as_str().unwrap_or("").to_string();
        let name = |v: &Json| v.get("name").map(text).unwrap_or_default();
        Names {
            fields: list("fields").iter().map(|f| Field { name: name(f), kind: kind(f), dict: f.get("dict").is_some() }).collect(),
            answers: list("reasons").into_iter().chain(list("routes")).map(text).collect(),
            points: list("points").iter().map(|p| (name(p), elements(*p, "attributes").into_iter().map(text).collect())).collect(),
            cells: list("cells").iter().map(kind).collect(),
            counters: list("counters").into_iter().map(text).collect(),
        }
    }
}

fn elements<'a>(of: Json<'a>, key: &str) -> Vec<Json<'a>> {
    of.get(key).iter().flat_map(|l| l.elements()).collect()
}

/// The number of the type of a field or cell.
fn kind(of: &Json) -> u32 {
    let name = of.get("type").and_then(|t| t.as_str());
    ["str", "i64", "f64", "bool", "json", "any", "kind"].iter().position(|n| Some(*n) == name).map_or(0, |i| i as u32 + 1)
}

/// What the outputs of an extractor have room for.
#[derive(Default)]
pub struct Room {
    measurements: usize,
    tuples: usize,
    text: usize,
}

/// What is needed where an output was too small.
pub fn needed(memory: &[u64]) -> Room {
    let at = |i| word(memory, i) as usize;
    Room { measurements: at(batch::MEASUREMENTS), tuples: at(batch::TUPLES), text: at(batch::TEXT) }
}

pub struct Layout<'a> {
    kind: Kind,
    names: &'a Names,
    width: usize,
    rows: Vec<Vec<(ValueKind, String)>>,
    slots: Vec<u32>,
    sessions: Vec<Session>,
}

/// A session of the beacons, and what a close is told of it.
#[derive(Clone)]
pub struct Session {
    pub name: String,
    first: i64,
    last: i64,
    counted: Vec<i64>, // measurements of each point
}

impl<'a> Layout<'a> {
    pub fn new(kind: Kind, names: &'a Names, vector: Json) -> Self {
        let untyped = vector.get("untyped").is_some();
        let beacons = elements(vector, "beacons");
        let row = |b: &Json| names.fields.iter().map(|f| value(b.get(&f.name), &f.name, untyped)).collect();
        let mut sessions: Vec<Session> = Vec::new();
        let mut slots = Vec::new();
        for b in &beacons {
            let name = value(b.get("$session"), "$session", false).1;
            let time = b.get("$time").and_then(|t| t.as_i64()).unwrap_or(0);
            let slot = sessions.iter().position(|s| s.name == name).unwrap_or_else(|| {
                sessions.push(Session { name, first: time, last: time, counted: std::vec![0; names.points.len()] });
                sessions.len() - 1
            });
            sessions[slot].last = time;
            slots.push(slot as u32);
        }
        Layout {
            kind,
            names,
            width: names.points.iter().map(|(_, attributes)| attributes.len()).max().unwrap_or(0),
            rows: beacons.iter().map(row).collect(),
            slots,
            sessions,
        }
    }

    /// The batch before the call.
    pub fn memory(&self, room: &Room) -> Vec<u64> {
        let rows = self.rows.len();
        let columns = self.names.fields.len();
        let mut out = Areas(std::vec![0; 128 + 32 * columns]);
        out.word(batch::KIND, self.kind as usize + 1);
        out.word(batch::ROWS, rows);
        out.word(batch::COLUMNS, columns);
        out.word(batch::COLUMNS_AT, 128);
        for i in 0..columns {
            self.column(i, &mut out);
        }
        out.list(batch::COUNTERS, self.names.counters.len(), 8);
        match self.kind {
            Kind::Filter => {
                out.output(batch::KEEP_AT, &std::vec![0; (rows + 7) / 8]);
                out.output(batch::REASONS_AT, &std::vec![0; rows]);
            }
            Kind::Split => out.output(batch::ROUTES_AT, &std::vec![0xFF; 2 * rows]),
            Kind::Extract => self.measurements(&mut out, room),
        }
        self.cells(&mut out, &std::vec![std::vec![0; 8 * self.sessions.len()]; self.names.cells.len()], &self.slots);
        out.finish()
    }

    /// The sessions of beacons that were answered.
    pub fn sessions(&self, memory: &[u64]) -> Vec<Session> {
        let mut sessions = self.sessions.clone();
        for i in 0..word(memory, batch::MEASUREMENTS) as usize {
            let m = measurement(memory, i);
            if m.value.abs() <= 1e9 {
                sessions[self.slots[m.row as usize] as usize].counted[m.point as usize] += 1;
            }
        }
        sessions
    }

    /// The batch of sessions that have ended, with the cells that their beacons left.
    pub fn closed(&self, memory: &[u64], sessions: &[Session], room: &Room) -> Vec<u64> {
        let columns = 2 + self.names.points.len();
        let mut out = Areas(std::vec![0; 128 + 32 * columns]);
        out.word(batch::KIND, 4);
        out.word(batch::ROWS, sessions.len());
        out.word(batch::COLUMNS, columns);
        out.word(batch::COLUMNS_AT, 128);
        let mut valid = std::vec![0; (sessions.len() + 7) / 8];
        (0..sessions.len()).for_each(|i| set(&mut valid, i, true));
        for i in 0..columns {
            let of = |s: &Session| [s.first, s.last].iter().chain(&s.counted).nth(i).map_or(0, |v| *v);
            let data: Vec<u8> = sessions.iter().flat_map(|s| of(s).to_le_bytes()).collect();
            let descriptor = [2, 0, out.area(&valid), out.area(&data), 0, 0, 0, 0];
            out.0[128 + 32 * i..][..32].copy_from_slice(&words(&descriptor));
        }
        out.list(batch::COUNTERS, self.names.counters.len(), 8);
        self.measurements(&mut out, room);
        let cell = |i: usize| {
            let at = number(bytes(memory), word(memory, batch::CELLS_AT) as usize + 8 * i + 4);
            bytes(memory)[at..at + 8 * sessions.len()].to_vec()
        };
        let cells: Vec<Vec<u8>> = (0..self.names.cells.len()).map(cell).collect();
        self.cells(&mut out, &cells, &(0..sessions.len() as u32).collect::<Vec<_>>());
        out.finish()
    }

    fn measurements(&self, out: &mut Areas, room: &Room) {
        out.word(batch::TUPLE_WIDTH, self.width);
        out.sized(batch::MEASUREMENTS_AT, batch::MEASUREMENTS_CAP, room.measurements, 24);
        out.sized(batch::TUPLES_AT, batch::TUPLES_CAP, room.tuples, 8 * self.width);
        out.sized(batch::TEXT_AT, batch::TEXT_CAP, room.text, 1);
    }

    fn cells(&self, out: &mut Areas, values: &[Vec<u8>], slots: &[u32]) {
        if self.names.cells.is_empty() {
            return;
        }
        let mut descriptors = Vec::new();
        for (kind, values) in self.names.cells.iter().zip(values) {
            let at = out.area(values);
            descriptors.extend_from_slice(&words(&[*kind, at]));
        }
        out.word(batch::CELLS, self.names.cells.len());
        out.word(batch::SLOTS, self.sessions.len());
        out.output(batch::CELLS_AT, &descriptors);
        out.output(batch::SLOTS_AT, &words(slots));
    }

    fn column(&self, i: usize, out: &mut Areas) {
        let field = &self.names.fields[i];
        let mut valid = std::vec![0; (self.rows.len() + 7) / 8];
        let mut bits = valid.clone();
        let mut data = Vec::new();
        let mut texts: Vec<&str> = Vec::new();
        for (row, values) in self.rows.iter().enumerate() {
            let (kind, text) = &values[i];
            let number = matches!(kind, ValueKind::Number | ValueKind::Untyped);
            let parsed = if number && is_number(text) { text.parse::<f64>().ok() } else { None };
            let ok = match field.kind {
                1 => (ValueKind::False..=ValueKind::Untyped).contains(kind),
                2 => parsed.map_or(false, |_| Json::new(text.as_bytes()).as_i64().is_some()),
                3 => parsed.is_some(),
                4 => matches!(kind, ValueKind::False | ValueKind::True),
                5 => *kind >= ValueKind::Array,
                _ => *kind > ValueKind::Missing,
            };
            set(&mut valid, row, ok);
            set(&mut bits, row, *kind == ValueKind::True);
            let text = if ok { text.as_str() } else { "" };
            match field.kind {
                2 => data.extend_from_slice(&Json::new(text.as_bytes()).as_i64().filter(|_| ok).unwrap_or(0).to_le_bytes()),
                3 => data.extend_from_slice(&parsed.unwrap_or(0.0).to_le_bytes()),
                6 | 7 => data.push(*kind as u8),
                _ => {}
            }
            if !field.dict {
                texts.push(text);
                continue;
            }
            let code = texts.iter().position(|t| *t == text && ok);
            if code.is_none() && ok {
                texts.push(text);
            }
            data.extend_from_slice(&(code.unwrap_or(if ok { texts.len() - 1 } else { 0 }) as u32).to_le_bytes());
        }
        if field.kind == 4 {
            data = bits;
        }
        if field.dict && texts.is_empty() {
            texts.push(""); // at least one entry
        }
        let mut descriptor = [field.kind, field.dict as u32, out.area(&valid), out.area(&data), 0, 0, 0, 0];
        if matches!(field.kind, 1 | 5 | 6) {
            let bytes = texts.concat();
            let mut offsets = std::vec![0u32];
            for t in &texts {
                offsets.push(offsets[offsets.len() - 1] + t.len() as u32);
            }
            descriptor[4..].copy_from_slice(&[texts.len() as u32, out.area(&words(&offsets)), out.area(bytes.as_bytes()), bytes.len() as u32]);
        }
        out.0[128 + 32 * i..][..32].copy_from_slice(&words(&descriptor));
    }

    /// The answer to each row, in the form of `expected`.
    pub fn answers(&self, memory: &[u64]) -> Vec<String> {
        let bytes = bytes(memory);
        let at = |i| word(memory, i) as usize;
        let name = |i: usize| format!("{:?}", self.names.answers[i]);
        (0..at(batch::ROWS))
            .map(|row| match self.kind {
                Kind::Filter if bytes[at(batch::KEEP_AT) + row / 8] >> (row % 8) & 1 != 0 => "null".to_owned(),
                Kind::Filter => name(bytes[at(batch::REASONS_AT) + row] as usize),
                Kind::Split => match u16::from_le_bytes([bytes[at(batch::ROUTES_AT) + 2 * row], bytes[at(batch::ROUTES_AT) + 2 * row + 1]]) {
                    0xFFFF => "null".to_owned(),
                    route => name(route as usize),
                },
                Kind::Extract => {
                    let all = (0..at(batch::MEASUREMENTS)).map(|i| self.measurement(memory, i));
                    let of_row: Vec<String> = all.filter(|(r, _)| *r as usize == row).map(|(_, text)| text).collect();
                    format!("[{}]", of_row.join(", "))
                }
            })
            .collect()
    }

    fn measurement(&self, memory: &[u64], i: usize) -> (u32, String) {
        let bytes = bytes(memory);
        let m = measurement(memory, i);
        let (point, attributes) = &self.names.points[m.point as usize];
        let mut values = BTreeMap::new();
        for (k, name) in attributes.iter().enumerate().filter(|_| m.attributes > 0) {
            let at = word(memory, batch::TUPLES_AT) as usize + 8 * ((m.attributes as usize - 1) * self.width + k);
            let text = &bytes[number(bytes, at)..][..number(bytes, at + 4)];
            if !text.is_empty() {
                values.insert(name.clone(), String::from_utf8_lossy(text).into_owned());
            }
        }
        (m.row, describe(point, m.value, &values))
    }

    pub fn counters(&self, memory: &[u64]) -> Vec<u64> {
        let at = word(memory, batch::COUNTERS_AT) as usize / 8;
        memory[at..at + self.names.counters.len()].to_vec()
    }
}

fn measurement(memory: &[u64], i: usize) -> Measurement {
    // An area of measurements is aligned to 8.
    unsafe { *memory.as_ptr().cast::<u8>().add(word(memory, batch::MEASUREMENTS_AT) as usize).cast::<Measurement>().add(i) }
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
}

fn describe(point: &str, value: f64, attributes: &BTreeMap<String, String>) -> String {
    let value = if value.is_finite() && value.abs() <= 1e9 { format!("{:?}", value) } else { "null".to_owned() };
    format!("{:?} {} {:?}", point, value, attributes)
}

/// An entry of a vector's `expect`.
pub fn expected(v: Json) -> String {
    if let Some(name) = v.as_str() {
        return format!("{:?}", name);
    }
    if v.is_null() {
        return "null".to_owned();
    }
    let text = |v: Option<Json>| v.and_then(|v| v.as_str()).unwrap_or("").to_string();
    let one = |m: Json| {
        let value = m.get("value").map_or(Some(1.0), |v| v.as_f64()).unwrap_or(f64::NAN);
        let attributes = m.get("attributes").into_iter().flat_map(|a| a.members()).map(|(k, v)| (text(Some(k)), text(Some(v))));
        describe(&text(m.get("point")), value, &attributes.filter(|(_, v)| !v.is_empty()).collect())
    };
    format!("[{}]", v.elements().map(one).collect::<Vec<_>>().join(", "))
}

/// What a beacon has at a field.
fn value(v: Option<Json>, field: &str, untyped: bool) -> (ValueKind, String) {
    let v = match v {
        Some(v) => v,
        None => {
            return match field {
                "$time" => (ValueKind::Number, "0".to_owned()),
                "$tenant" | "$session" | "$source" => (ValueKind::String, field[1..].to_owned()),
                _ => (ValueKind::Missing, String::new()),
            }
        }
    };
    let raw = String::from_utf8_lossy(v.raw()).into_owned();
    match raw.as_bytes()[0] {
        b'n' => (ValueKind::Null, String::new()),
        b'f' => (ValueKind::False, raw),
        b't' => (ValueKind::True, raw),
        b'[' => (ValueKind::Array, raw),
        b'{' => (ValueKind::Object, raw),
        b'"' => (if untyped { ValueKind::Untyped } else { ValueKind::String }, v.as_str().unwrap_or("").to_owned()),
        _ => (ValueKind::Number, raw),
    }
}

/// Tells whether a text is a JSON number, which is less than what Rust parses.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(|c| c == 'e' || c == 'E') {
        Some(i) => (&text[..i], text[i + 1..].trim_start_matches(|c| c == '+' || c == '-')),
        None => (text, "0"),
    };
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|c| c.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && digits(fraction) && digits(exponent)
}

fn set(bitmap: &mut [u8], i: usize, on: bool) {
    bitmap[i / 8] |= (on as u8) << (i % 8);
}

fn words(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn bytes(memory: &[u64]) -> &[u8] {
    unsafe { std::slice::from_raw_parts(memory.as_ptr().cast(), 8 * memory.len()) }
}

fn word(memory: &[u64], i: usize) -> u32 {
    (memory[i / 2] >> (32 * (i % 2))) as u32
}

/// A batch that is being laid out.
struct Areas(Vec<u8>);

impl Areas {
    fn word(&mut self, i: usize, value: usize) {
        self.0[4 * i..][..4].copy_from_slice(&(value as u32).to_le_bytes());
    }

    fn area(&mut self, content: &[u8]) -> u32 {
        let at = self.0.len();
        self.0.extend_from_slice(content);
        self.0.resize((self.0.len() + 7) / 8 * 8, 0);
        at as u32
    }

    fn output(&mut self, word: usize, content: &[u8]) {
        let at = self.area(content);
        self.word(word, at as usize);
    }

    /// A number of things and, in the next word, where they are.
    fn list(&mut self, word: usize, n: usize, size: usize) {
        self.word(word, n);
        self.output(word + 1, &std::vec![0; n * size]);
    }

    fn sized(&mut self, at: usize, cap: usize, n: usize, size: usize) {
        self.word(cap, n);
        self.output(at, &std::vec![0; n * size]);
    }

    fn finish(mut self) -> Vec<u64> {
        let size = self.0.len();
        self.word(0, size);
        self.0.chunks_exact(8).map(|c| u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]])).collect()
    }
}
