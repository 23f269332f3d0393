//! What a plugin is, wants and may answer, and how that is written as JSON.

const std = @import("std");

/// What a plugin does: keeps or drops rows, sends them to routes, or turns them into measurements.
pub const Kind = enum { filter, split, extract };

/// The type of a column, or (i64 and f64) of a session cell.
pub const Type = enum { str, i64, f64, bool, json, any, kind };

/// Says what a plugin is.
pub const Manifest = struct {
    kind: Kind,
    name: []const u8,
    version: []const u8,
    /// What it does, in a sentence.
    description: []const u8 = "",
    /// The JSON Schema of its config; empty: any. Its defaults are not filled in.
    schema: []const u8 = "",

    pub fn json(comptime self: Manifest) []const u8 {
        comptime {
            var out: []const u8 = "{\"kind\":\"" ++ @tagName(self.kind) ++ "\",\"name\":" ++ quoted(self.name) ++ ",\"version\":" ++ quoted(self.version);
            if (self.description.len > 0) out = out ++ ",\"description\":" ++ quoted(self.description);
            if (self.schema.len > 0) out = out ++ ",\"config\":" ++ self.schema;
            return out ++ "}";
        }
    }
};

fn quoted(comptime text: []const u8) []const u8 {
    comptime {
        var out: []const u8 = "\"";
        for (text) |c| {
            if (c < 0x20) @compileError("a control character in the manifest");
            out = out ++ (if (c == '"' or c == '\\') "\\" else "") ++ &[_]u8{c};
        }
        return out ++ "\"";
    }
}

/// A column: a path into the beacon (`product.price`), a name of the source's, `$time`, `$tenant`, `$session` or `$source`.
pub const Field = struct {
    name: []const u8,
    type: Type = .str,
    /// Asks for texts in the dictionary form: best for fields of few values.
    dict: bool = false,
};

/// A measurement point.
pub const Point = struct { name: []const u8, attributes: []const []const u8 = &.{} };

/// The fields that a plugin wants, and what it may answer. Indexes in a batch are those of the order here.
pub const Plan = struct {
    fields: []const Field = &.{},
    /// Why rows are dropped (filter).
    reasons: []const []const u8 = &.{},
    /// Where rows go (splitter).
    routes: []const []const u8 = &.{},
    /// What is measured (extractor).
    points: []const Point = &.{},
    /// Values that the host keeps for each session (extractor): i64 or f64.
    cells: []const struct { name: []const u8, type: Type } = &.{},
    counters: []const []const u8 = &.{},

    pub fn json(self: Plan, allocator: std.mem.Allocator) ![]const u8 {
        var w: Writer = .{ .allocator = allocator };
        try w.value(self);
        return w.out.items;
    }
};

/// Writes structs, lists, strings, enums and booleans.
const Writer = struct {
    allocator: std.mem.Allocator,
    out: std.ArrayList(u8) = .empty,

    fn put(w: *Writer, text: []const u8) !void {
        try w.out.appendSlice(w.allocator, text);
    }

    fn value(w: *Writer, v: anytype) std.mem.Allocator.Error!void {
        const T = @TypeOf(v);
        switch (@typeInfo(T)) {
            .bool => try w.put(if (v) "true" else "false"),
            .@"enum" => try w.string(@tagName(v)),
            .@"struct" => {
                inline for (comptime std.meta.fieldNames(T), 0..) |name, i| {
                    try w.put((if (i == 0) "{\"" else ",\"") ++ name ++ "\":");
                    try w.value(@field(v, name));
                }
                try w.put("}");
            },
            else => if (T == []const u8) try w.string(v) else {
                try w.put("[");
                for (v, 0..) |e, i| {
                    if (i > 0) try w.put(",");
                    try w.value(e);
                }
                try w.put("]");
            },
        }
    }

    fn string(w: *Writer, text: []const u8) !void {
        try w.put("\"");
        for (text) |c| switch (c) {
            '"', '\\' => try w.put(&.{ '\\', c }),
            0...0x1f => try w.put(&.{ '\\', 'u', '0', '0', '0' + (c >> 4), "0123456789abcdef"[c & 15] }),
            else => try w.put(&.{c}),
        };
        try w.put("\"");
    }
};
