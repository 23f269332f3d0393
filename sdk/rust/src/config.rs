use crate::Json;

/// A plugin's config and data files. They stay as long as the instance: no text of them needs a copy.
pub struct Config {
    config: Json<'static>,
    data: Json<'static>,
}

impl Config {
    /// Reads the document that the host passes.
    pub(crate) fn read(text: &'static [u8]) -> Self {
        let document = Json::new(text);
        let of = |key| document.get(key).unwrap_or_else(|| Json::new(b"{}"));
        Config { config: of("config"), data: of("data") }
    }

    /// The config, an object. It is as the manifest's schema wants it.
    pub fn json(&self) -> Json<'static> {
        self.config
    }

    /// The value of a key of the config.
    pub fn get(&self, key: &str) -> Option<Json<'static>> {
        self.config.get(key)
    }

    /// The content of a data file, if the user has named one.
    pub fn data(&self, name: &str) -> Option<&'static [u8]> {
        let entry = self.data.get(name)?;
        let (at, len) = (entry.get("ptr")?.as_i64()? as usize, entry.get("len")?.as_i64()? as usize);
        // The host has put it there, for good; an empty one may lie anywhere.
        Some(if len == 0 { &[] } else { unsafe { core::slice::from_raw_parts(at as *const u8, len) } })
    }
}
