//! Runs a plugin natively, in ordinary tests, on batches that are laid out as for the module:
//!
//!     test "golden vectors" {
//!         try pharos.testing.golden(Internal, @embedFile("filter.golden.ndjson"));
//!     }

const std = @import("std");
const pharos = @import("pharos.zig");
const layouts = @import("testing_layout.zig");
const Json = pharos.Json;
const Layout = layouts.Layout;
const Room = layouts.Room;

/// Runs golden vectors (abi/SPEC.md, section 11), one a line, prints all that is answered otherwise, and fails then. That the
/// schema refuses a config is for the host to check: a plugin that accepts such a config is not at fault.
pub fn golden(comptime P: type, vectors: []const u8) !void {
    var arena: std.heap.ArenaAllocator = .init(pharos.allocator);
    defer arena.deinit();
    var lines = std.mem.splitScalar(u8, vectors, '\n');
    var line: usize = 1;
    var faults: usize = 0;
    while (lines.next()) |text| : (line += 1) {
        if (std.mem.trim(u8, text, " \t\r").len == 0) continue;
        if (try run(P, arena.allocator(), Json.of(text))) |fault| {
            std.debug.print("golden vector, line {d}: {s}\n", .{ line, fault });
            faults += 1;
        }
    }
    if (faults > 0) return error.OtherAnswers;
}

/// Gives what is answered otherwise.
fn run(comptime P: type, allocator: std.mem.Allocator, vector: Json) !?[]const u8 {
    const expect = vector.get("expect") orelse return "expect is missing";
    const refused: ?[]const u8 = if (expect.get("error")) |e| try e.stringAlloc(allocator) else null;
    var plugin = P.configure(.read(try document(allocator, vector))) catch |e| {
        const text = pharos.errorText(e);
        if (refused != null and std.mem.indexOf(u8, text, refused.?) != null) return null;
        return try std.fmt.allocPrint(allocator, "the config is refused: {s}", .{text});
    };
    if (refused != null) return null;
    const plan: pharos.Plan = plugin.plan();
    const layout = try Layout.of(allocator, P.manifest.kind, plan, vector);

    const answered = try call(P, &plugin, P.process, layout, null);
    const got = try layout.answers(answered);
    var want: std.ArrayList([]const u8) = .empty;
    var entries = expect.elements();
    while (entries.next()) |e| try want.append(allocator, try layouts.expected(allocator, e));
    if (try differ(allocator, got, want.items)) |fault| return fault;

    const counted = layout.counters(answered);
    if (vector.get("close")) |ends| {
        if (!@hasDecl(P, "close")) return "the plugin has no close";
        const sessions = try layout.ended(answered);
        const closed = try call(P, &plugin, P.close, layout, .{ .answered = answered, .sessions = sessions });
        var wanted: std.ArrayList([]const u8) = .empty;
        for (sessions) |s| try wanted.append(allocator, try layouts.expected(allocator, ends.get(s.name) orelse Json.of("[]")));
        if (try differ(allocator, try layout.answers(closed), wanted.items)) |fault| return fault;
        for (counted, layout.counters(closed)) |*sum, n| sum.* += n;
    }
    return counters(allocator, plan, counted, vector);
}

/// Has a batch answered, with too little room at first, so that a plugin counts on.
fn call(comptime P: type, plugin: *P, f: anytype, layout: Layout, ended: ?layouts.Ended) ![]align(8) u8 {
    var room: Room = .{};
    while (true) {
        const memory = if (ended) |e| try layout.closed(e, room) else try layout.memory(room);
        const batch: *pharos.Batch = @ptrCast(memory.ptr);
        f(plugin, batch) catch |e| {
            std.debug.print("{s}\n", .{pharos.errorText(e)});
            return e;
        };
        if (batch.fitted()) return memory;
        room = .{ .measurements = batch.measurements, .tuples = batch.tuples, .text = batch.text };
    }
}

fn differ(allocator: std.mem.Allocator, got: []const []const u8, want: []const []const u8) !?[]const u8 {
    const a = try std.mem.join(allocator, ", ", got);
    const b = try std.mem.join(allocator, ", ", want);
    if (pharos.equal(a, b)) return null;
    return try std.fmt.allocPrint(allocator, "answered {s}, expected {s}", .{ a, b });
}

fn counters(allocator: std.mem.Allocator, plan: pharos.Plan, counted: []const u64, vector: Json) !?[]const u8 {
    const wanted = vector.get("counters") orelse return null;
    var all = wanted.members();
    while (all.next()) |m| {
        const got: ?u64 = for (plan.counters, counted) |name, n| {
            if (m.key.is(name)) break n;
        } else null;
        const want: u64 = @intCast(m.value.integer() orelse 0);
        if (got != want) return try std.fmt.allocPrint(allocator, "counter {s}: answered {?d}, expected {d}", .{ m.key.raw, got, want });
    }
    return null;
}

/// The document that a host passes, with the data files of a vector.
fn document(allocator: std.mem.Allocator, vector: Json) ![]const u8 {
    var out: std.ArrayList(u8) = .empty;
    try out.appendSlice(allocator, "{\"config\":");
    try out.appendSlice(allocator, if (vector.get("config")) |c| c.raw else "{}");
    try out.appendSlice(allocator, ",\"data\":{");
    var files = (vector.get("data") orelse Json.of("{}")).members();
    var comma: []const u8 = "";
    while (files.next()) |m| : (comma = ",") {
        const text = try m.value.stringAlloc(allocator) orelse "";
        try out.appendSlice(allocator, try std.fmt.allocPrint(allocator, "{s}{s}:{{\"ptr\":{d},\"len\":{d}}}", .{ comma, m.key.raw, @intFromPtr(text.ptr), text.len }));
    }
    try out.appendSlice(allocator, "}}");
    return out.items;
}
