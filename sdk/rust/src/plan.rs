use crate::memory::Text;

/// What a plugin does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keeps or drops rows.
    Filter,
    /// Sends rows to routes.
    Split,
    /// Turns rows into measurements.
    Extract,
}

/// The type of a column, or of a session cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text: a string, or a number, `true` or `false` as written.
    Str,
    /// An integer in range.
    I64,
    /// A number.
    F64,
    /// `true` or `false`.
    Bool,
    /// An array or object, as [`Json`](crate::Json).
    Json,
    /// Anything; [`Column::kind`](crate::Column::kind) says what.
    Any,
    /// The kind of anything, without its text.
    Kind,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Str => "str",
            Type::I64 => "i64",
            Type::F64 => "f64",
            Type::Bool => "bool",
            Type::Json => "json",
            Type::Any => "any",
            Type::Kind => "kind",
        }
    }
}

/// Says what a plugin is.
pub struct Manifest {
    /// What it does.
    pub kind: Kind,
    /// Its name.
    pub name: &'static str,
    /// Its version; raise it with each change.
    pub version: &'static str,
    /// What it does, in a sentence; may be empty.
    pub description: &'static str,
    /// The JSON Schema of its config; empty: any. Its defaults are not filled in.
    pub schema: &'static str,
}

impl Manifest {
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn json(&self) -> &'static str {
        let kind = match self.kind {
            Kind::Filter => "filter",
            Kind::Split => "split",
            Kind::Extract => "extract",
        };
        let mut out = Text::new();
        out.push("{\"kind\":");
        out.push_quoted(kind);
        for (key, value) in [(",\"name\":", self.name), (",\"version\":", self.version), (",\"description\":", self.description)] {
            if !value.is_empty() {
                out.push(key);
                out.push_quoted(value);
            }
        }
        if !self.schema.is_empty() {
            out.push(",\"config\":");
            out.push(self.schema);
        }
        out.push("}");
        out.finish()
    }
}

/// The fields that a plugin wants, and what it may answer. Indexes in a batch are those of the order here.
#[derive(Default)]
pub struct Plan {
    fields: Text, // elements of an array, as JSON
    reasons: Text,
    routes: Text,
    points: Text,
    cells: Text,
    counters: Text,
}

impl Plan {
    /// An empty plan.
    pub fn new() -> Self {
        Plan::default()
    }

    /// Adds a column: a path into the beacon (`product.price`), a name of the source's, `$time`, `$tenant`, `$session` or
    /// `$source`.
    pub fn field(mut self, name: &str, kind: Type) -> Self {
        typed(&mut self.fields, name, kind, "}");
        self
    }

    /// Adds a column of texts in the dictionary form: best for fields of few values.
    pub fn dict(mut self, name: &str) -> Self {
        typed(&mut self.fields, name, Type::Str, ",\"dict\":true}");
        self
    }

    /// Adds a reason why rows are dropped (filter).
    pub fn reason(mut self, name: &str) -> Self {
        element(&mut self.reasons, name);
        self
    }

    /// Adds a route (splitter).
    pub fn route(mut self, name: &str) -> Self {
        element(&mut self.routes, name);
        self
    }

    /// Adds a measurement point with the names of its attributes (extractor).
    pub fn point(mut self, name: &str, attributes: &[&str]) -> Self {
        comma(&mut self.points);
        self.points.push("{\"name\":");
        self.points.push_quoted(name);
        for (i, a) in attributes.iter().enumerate() {
            self.points.push(if i == 0 { ",\"attributes\":[" } else { "," });
            self.points.push_quoted(a);
        }
        self.points.push(if attributes.is_empty() { "}" } else { "]}" });
        self
    }

    /// Adds a cell, `I64` or `F64`, that the host keeps for each session (extractor).
    pub fn cell(mut self, name: &str, kind: Type) -> Self {
        typed(&mut self.cells, name, kind, "}");
        self
    }

    /// Adds a counter.
    pub fn counter(mut self, name: &str) -> Self {
        element(&mut self.counters, name);
        self
    }

    pub(crate) fn json(&self) -> &'static str {
        let mut out = Text::new();
        out.push("{\"fields\":[");
        out.push(self.fields.as_str());
        out.push("]");
        for (key, list) in [
            (",\"reasons\":[", &self.reasons),
            (",\"routes\":[", &self.routes),
            (",\"points\":[", &self.points),
            (",\"cells\":[", &self.cells),
            (",\"counters\":[", &self.counters),
        ] {
            if !list.is_empty() {
                out.push(key);
                out.push(list.as_str());
                out.push("]");
            }
        }
        out.push("}");
        out.finish()
    }
}

fn comma(list: &mut Text) {
    if !list.is_empty() {
        list.push(",");
    }
}

fn element(list: &mut Text, name: &str) {
    comma(list);
    list.push_quoted(name);
}

fn typed(list: &mut Text, name: &str, kind: Type, end: &str) {
    comma(list);
    list.push("{\"name\":");
    list.push_quoted(name);
    list.push(",\"type\":");
    list.push_quoted(kind.name());
    list.push(end);
}
