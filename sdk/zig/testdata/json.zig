//! Refuses its config with what it reads of it, for a test of the JSON reader: strings decoded and quoted again, numbers as a
//! string of what they are written as and the bits of the double. The data file `whole` is given as a string.
const std = @import("std");
const pharos = @import("pharos");

const Echo = struct {
    pub const manifest: pharos.Manifest = .{ .kind = .filter, .name = "json", .version = "1" };

    pub fn configure(config: pharos.Config) !Echo {
        var out: Out = .{};
        try out.put("[");
        try out.value(config.json);
        try out.put(",");
        try out.quoted(config.data("whole") orelse "none");
        try out.put(",[");
        const a = config.get("a\"é");
        const b = if (a) |v| v.get("b") else null;
        try out.quoted(if (b) |v| try v.stringAlloc(pharos.allocator) orelse "" else "");
        try out.put("]]");
        return pharos.fail("{s}", .{out.text.items});
    }

    pub fn plan(_: *const Echo) pharos.Plan {
        return .{};
    }

    pub fn process(_: *Echo, _: *pharos.Batch) !void {
        return pharos.fail("only the config is tried", .{});
    }
};

const Out = struct {
    text: std.ArrayList(u8) = .empty,

    fn put(out: *Out, text: []const u8) !void {
        try out.text.appendSlice(pharos.allocator, text);
    }

    fn print(out: *Out, comptime format: []const u8, args: anytype) !void {
        try out.put(try std.fmt.allocPrint(pharos.allocator, format, args));
    }

    fn value(out: *Out, v: pharos.Json) std.mem.Allocator.Error!void {
        if (try v.stringAlloc(pharos.allocator)) |text| {
            try out.quoted(text);
        } else if (v.number()) |n| {
            try out.print("\"{s} {x:0>16}\"", .{ v.raw, @as(u64, @bitCast(n)) });
        } else if (v.isNull() or v.boolean() != null) {
            try out.put(v.raw);
        } else if (v.raw[0] == '[') {
            try out.put("[");
            var all = v.elements();
            var i: usize = 0;
            while (all.next()) |e| : (i += 1) {
                if (i > 0) try out.put(",");
                try out.value(e);
            }
            try out.put("]");
        } else {
            try out.put("{");
            var all = v.members();
            var i: usize = 0;
            while (all.next()) |m| : (i += 1) {
                if (i > 0) try out.put(",");
                try out.value(m.key);
                try out.put(":");
                try out.value(m.value);
            }
            try out.put("}");
        }
    }

    fn quoted(out: *Out, text: []const u8) std.mem.Allocator.Error!void {
        try out.put("\"");
        for (text) |c| switch (c) {
            '"', '\\' => try out.put(&.{ '\\', c }),
            0...0x1f => try out.print("\\u{x:0>4}", .{c}),
            else => try out.put(&.{c}),
        };
        try out.put("\"");
    }
};

comptime {
    pharos.register(Echo);
}
