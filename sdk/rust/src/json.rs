use crate::memory;

/// A JSON value: of the config, or of a `json` column. It is valid, so it is read without a check; what is asked of a value
/// of another kind is absent.
#[derive(Clone, Copy)]
pub struct Json<'a>(&'a [u8]);

impl<'a> Json<'a> {
    /// The value that a text is.
    pub fn new(text: &'a [u8]) -> Self {
        let text = &text[space(text, 0)..];
        Json(&text[..skip(text, 0)])
    }

    /// The value as it is written.
    pub fn raw(&self) -> &'a [u8] {
        self.0
    }

    fn first(&self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }

    /// Tells whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.first() == b'n'
    }

    /// `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        match self.first() {
            b't' => Some(true),
            b'f' => Some(false),
            _ => None,
        }
    }

    /// A number, as the nearest `f64`.
    pub fn as_f64(&self) -> Option<f64> {
        match self.first() {
            b'-' | b'0'..=b'9' => core::str::from_utf8(self.0).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// A number that is an integer in range; `5.0` and `1e3` are.
    pub fn as_i64(&self) -> Option<i64> {
        if let Some(n) = core::str::from_utf8(self.0).ok()?.parse().ok() {
            return Some(n);
        }
        let f = self.as_f64()?;
        ((f as i64) as f64 == f && -9.2e18 < f && f < 9.2e18).then(|| f as i64)
    }

    /// The content of a string. If there are escapes in it, it is copied to [memory] for good, so in `process` use
    /// [`Json::copy_str`].
    pub fn as_str(&self) -> Option<&'a str> {
        let content = self.content()?;
        if content.contains(&b'\\') {
            return self.copy_str(memory::slice(content.len(), 0));
        }
        core::str::from_utf8(content).ok()
    }

    /// The content of a string, decoded into a buffer that has room for the string as written.
    pub fn copy_str<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b str> {
        let mut len = 0;
        for c in self.chars()? {
            len += c.encode_utf8(&mut buffer[len..]).len();
        }
        core::str::from_utf8(&buffer[..len]).ok()
    }

    /// Tells whether it is the string.
    pub fn is(&self, text: &str) -> bool {
        self.chars().map_or(false, |chars| chars.eq(text.chars()))
    }

    fn content(&self) -> Option<&'a [u8]> {
        (self.first() == b'"' && self.0.len() > 1).then(|| &self.0[1..self.0.len() - 1])
    }

    fn chars(&self) -> Option<Chars<'a>> {
        core::str::from_utf8(self.content()?).ok().map(Chars)
    }

    /// The value of a key of an object; of a repeated key the last.
    pub fn get(&self, key: &str) -> Option<Json<'a>> {
        self.members().filter(|(k, _)| k.is(key)).last().map(|(_, v)| v)
    }

    /// The elements of an array.
    pub fn elements(&self) -> Elements<'a> {
        Elements { text: self.0, at: if self.first() == b'[' { 1 } else { self.0.len() } }
    }

    /// The keys, which are strings, and values of an object.
    pub fn members(&self) -> Members<'a> {
        Members { text: self.0, at: if self.first() == b'{' { 1 } else { self.0.len() } }
    }
}

/// The elements of an array.
pub struct Elements<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        value(self.text, &mut self.at)
    }
}

/// The keys and values of an object.
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Json<'a>, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = value(self.text, &mut self.at)?;
        let v = value(self.text, &mut self.at)?;
        Some((key, v))
    }
}

/// The next value of a container, behind a comma or colon if there is one.
fn value<'a>(text: &'a [u8], at: &mut usize) -> Option<Json<'a>> {
    let mut from = space(text, *at);
    if matches!(text.get(from), Some(b',' | b':')) {
        from = space(text, from + 1);
    }
    if matches!(text.get(from), None | Some(b'}' | b']')) {
        return None;
    }
    *at = skip(text, from);
    Some(Json(&text[from..*at]))
}

fn space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The end of the value that begins at a place.
fn skip(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(c) = text.get(at) {
        match c {
            b'"' => at = string_end(text, at),
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            _ if depth == 0 => return word_end(text, at),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(c) = text.get(at) {
        match c {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn word_end(text: &[u8], mut at: usize) -> usize {
    while !matches!(text.get(at), None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The characters of a string, escapes decoded.
struct Chars<'a>(&'a str);

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self.take()? {
            '\\' => {}
            c => return Some(c),
        }
        Some(match self.take()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\x08',
            'f' => '\x0c',
            'u' => self.unicode(),
            c => c,
        })
    }
}

impl Chars<'_> {
    fn take(&mut self) -> Option<char> {
        let mut chars = self.0.chars();
        let c = chars.next();
        self.0 = chars.as_str();
        c
    }

    /// The character of four digits, or of two such escapes.
    fn unicode(&mut self) -> char {
        let mut code = self.hex();
        if code >> 10 == 0x36 {
            let rest = self.0;
            if let Some(after) = rest.strip_prefix("\\u") {
                self.0 = after;
                let low = self.hex();
                if low >> 10 == 0x37 {
                    code = 0x10000 + ((code & 0x3FF) << 10 | low & 0x3FF);
                } else {
                    self.0 = rest;
                }
            }
        }
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER) // half of a pair
    }

    fn hex(&mut self) -> u32 {
        (0..4).fold(0, |n, _| n << 4 | self.take().and_then(|c| c.to_digit(16)).unwrap_or(0))
    }
}
