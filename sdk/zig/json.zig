//! A reader of JSON that needs no memory.

const std = @import("std");

/// A JSON value: of the config, or of a json column. It is valid, so it is read without a check; what is asked of a value of
/// another kind is null.
pub const Json = struct {
    /// The value as it is written.
    raw: []const u8,

    /// The value that a text is.
    pub fn of(text: []const u8) Json {
        const from = space(text, 0);
        return .{ .raw = text[from..skip(text, from)] };
    }

    fn first(self: Json) u8 {
        return if (self.raw.len > 0) self.raw[0] else 0;
    }

    pub fn isNull(self: Json) bool {
        return self.first() == 'n';
    }

    pub fn boolean(self: Json) ?bool {
        return switch (self.first()) {
            't' => true,
            'f' => false,
            else => null,
        };
    }

    /// A number, as the nearest f64.
    pub fn number(self: Json) ?f64 {
        return switch (self.first()) {
            '-', '0'...'9' => std.fmt.parseFloat(f64, self.raw) catch null,
            else => null,
        };
    }

    /// A number that is an integer in range; `5.0` and `1e3` are.
    pub fn integer(self: Json) ?i64 {
        if (self.number() == null) return null;
        if (std.fmt.parseInt(i64, self.raw, 10)) |n| return n else |_| {}
        const f = self.number().?;
        return if (@floor(f) == f and @abs(f) < 9.2e18) @as(i64, @intFromFloat(f)) else null;
    }

    /// The content of a string, where it stands if there are no escapes in it, else in a buffer that has room for it as
    /// written.
    pub fn string(self: Json, buffer: []u8) ?[]const u8 {
        const content = self.written() orelse return null;
        if (std.mem.indexOfScalar(u8, content, '\\') == null) return content;
        var chars: Chars = .{ .rest = content };
        var n: usize = 0;
        while (chars.next()) |c| n += put(c, buffer[n..]);
        return buffer[0..n];
    }

    /// The content of a string; if there are escapes in it, in memory of the allocator.
    pub fn stringAlloc(self: Json, allocator: std.mem.Allocator) std.mem.Allocator.Error!?[]const u8 {
        const content = self.written() orelse return null;
        if (std.mem.indexOfScalar(u8, content, '\\') == null) return content;
        return self.string(try allocator.alloc(u8, content.len));
    }

    /// Tells whether it is the string.
    pub fn is(self: Json, text: []const u8) bool {
        var chars: Chars = .{ .rest = self.written() orelse return false };
        var rest = text;
        while (chars.next()) |c| {
            var one: [4]u8 = undefined;
            const n = put(c, &one);
            if (!std.mem.startsWith(u8, rest, one[0..n])) return false;
            rest = rest[n..];
        }
        return rest.len == 0;
    }

    fn written(self: Json) ?[]const u8 {
        return if (self.first() == '"' and self.raw.len > 1) self.raw[1 .. self.raw.len - 1] else null;
    }

    /// The value of a key of an object; of a repeated key the last.
    pub fn get(self: Json, key: []const u8) ?Json {
        var found: ?Json = null;
        var all = self.members();
        while (all.next()) |m| {
            if (m.key.is(key)) found = m.value;
        }
        return found;
    }

    /// The elements of an array.
    pub fn elements(self: Json) Elements {
        return .{ .text = self.raw, .at = if (self.first() == '[') 1 else self.raw.len };
    }

    /// The keys, which are strings, and values of an object.
    pub fn members(self: Json) Members {
        return .{ .text = self.raw, .at = if (self.first() == '{') 1 else self.raw.len };
    }
};

pub const Elements = struct {
    text: []const u8,
    at: usize,

    pub fn next(self: *Elements) ?Json {
        return value(self.text, &self.at);
    }
};

pub const Members = struct {
    text: []const u8,
    at: usize,

    pub fn next(self: *Members) ?struct { key: Json, value: Json } {
        const key = value(self.text, &self.at) orelse return null;
        return .{ .key = key, .value = value(self.text, &self.at) orelse return null };
    }
};

/// The next value of a container, behind a comma or colon if there is one.
fn value(text: []const u8, at: *usize) ?Json {
    var from = space(text, at.*);
    if (from < text.len and (text[from] == ',' or text[from] == ':')) from = space(text, from + 1);
    if (from >= text.len or text[from] == '}' or text[from] == ']') return null;
    at.* = skip(text, from);
    return .{ .raw = text[from..at.*] };
}

fn space(text: []const u8, from: usize) usize {
    var at = from;
    while (at < text.len and isSpace(text[at])) at += 1;
    return at;
}

fn isSpace(c: u8) bool {
    return c == ' ' or c == '\t' or c == '\n' or c == '\r';
}

/// The end of the value that begins at a place.
fn skip(text: []const u8, from: usize) usize {
    var at = from;
    var depth: usize = 0;
    while (at < text.len) {
        switch (text[at]) {
            '"' => at = stringEnd(text, at),
            '{', '[' => {
                depth += 1;
                at += 1;
            },
            '}', ']' => {
                depth -|= 1;
                at += 1;
            },
            else => {
                if (depth == 0) return wordEnd(text, at);
                at += 1;
            },
        }
        if (depth == 0) break;
    }
    return at;
}

fn stringEnd(text: []const u8, from: usize) usize {
    var at = from + 1;
    while (at < text.len) : (at += 1) {
        switch (text[at]) {
            '"' => return at + 1,
            '\\' => at += 1,
            else => {},
        }
    }
    return text.len;
}

fn wordEnd(text: []const u8, from: usize) usize {
    var at = from;
    while (at < text.len) : (at += 1) {
        switch (text[at]) {
            ',', '}', ']' => break,
            else => |c| if (isSpace(c)) break,
        }
    }
    return at;
}

/// The characters of a string, escapes decoded.
const Chars = struct {
    rest: []const u8,

    fn next(self: *Chars) ?u21 {
        if (self.rest.len == 0) return null;
        if (self.rest[0] != '\\') return self.plain();
        const c = if (self.rest.len > 1) self.rest[1] else '\\';
        self.rest = self.rest[@min(2, self.rest.len)..];
        return switch (c) {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => 8,
            'f' => 12,
            'u' => self.unicode(),
            else => c,
        };
    }

    fn plain(self: *Chars) u21 {
        const n = std.unicode.utf8ByteSequenceLength(self.rest[0]) catch 1;
        const whole = self.rest[0..@min(n, self.rest.len)];
        self.rest = self.rest[whole.len..];
        return std.unicode.utf8Decode(whole) catch 0xFFFD;
    }

    /// The character of four digits, or of two such escapes.
    fn unicode(self: *Chars) u21 {
        const c = self.hex();
        if (c >> 10 == 0x36 and std.mem.startsWith(u8, self.rest, "\\u")) {
            const rest = self.rest;
            self.rest = rest[2..];
            const low = self.hex();
            if (low >> 10 == 0x37) return 0x10000 + (((c & 0x3FF) << 10) | (low & 0x3FF));
            self.rest = rest;
        }
        return if (c >> 11 == 0x1B) 0xFFFD else c; // half of a pair is no character
    }

    fn hex(self: *Chars) u21 {
        const n = @min(4, self.rest.len);
        defer self.rest = self.rest[n..];
        return std.fmt.parseInt(u16, self.rest[0..n], 16) catch 0;
    }
};

/// Writes a character as UTF-8.
fn put(c: u21, to: []u8) usize {
    return std.unicode.utf8Encode(c, to) catch 0;
}
