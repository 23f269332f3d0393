//! Lays out the batch of a golden vector as abi/SPEC.md says, and reads what is answered.

const std = @import("std");
const pharos = @import("pharos.zig");
const batches = @import("batch.zig");
const Batch = batches.Batch;
const Measurement = batches.Measurement;
const Json = pharos.Json;
const ValueKind = pharos.ValueKind;
const Allocator = std.mem.Allocator;

/// What the outputs of an extractor have room for.
pub const Room = struct { measurements: u32 = 0, tuples: u32 = 0, text: u32 = 0 };

/// A session of the beacons, and what a close is told of it.
pub const Session = struct { name: []const u8, first: i64, last: i64, counted: []i64 };

/// Sessions that have ended, and the batch that was answered last, with their cells.
pub const Ended = struct { answered: []align(8) u8, sessions: []const Session };

const Value = struct { kind: ValueKind, text: []const u8 = "" };

pub const Layout = struct {
    allocator: Allocator,
    kind: pharos.Kind,
    plan: pharos.Plan,
    rows: []const []const Value,
    slots: []const u32,
    sessions: []const Session,

    pub fn of(allocator: Allocator, kind: pharos.Kind, plan: pharos.Plan, vector: Json) !Layout {
        const untyped = vector.get("untyped") != null;
        var rows: std.ArrayList([]const Value) = .empty;
        var slots: std.ArrayList(u32) = .empty;
        var sessions: std.ArrayList(Session) = .empty;
        var beacons = (vector.get("beacons") orelse Json.of("[]")).elements();
        while (beacons.next()) |b| {
            const row = try allocator.alloc(Value, plan.fields.len);
            for (row, plan.fields) |*v, f| v.* = try value(allocator, b.get(f.name), f.name, untyped);
            try rows.append(allocator, row);
            const name = (try value(allocator, b.get("$session"), "$session", false)).text;
            const time = if (b.get("$time")) |t| t.integer() orelse 0 else 0;
            const slot = for (sessions.items, 0..) |s, i| {
                if (pharos.equal(s.name, name)) break i;
            } else sessions.items.len;
            if (slot == sessions.items.len) {
                const counted = try allocator.alloc(i64, plan.points.len);
                @memset(counted, 0);
                try sessions.append(allocator, .{ .name = name, .first = time, .last = time, .counted = counted });
            }
            sessions.items[slot].last = time;
            try slots.append(allocator, @intCast(slot));
        }
        return .{ .allocator = allocator, .kind = kind, .plan = plan, .rows = rows.items, .slots = slots.items, .sessions = sessions.items };
    }

    fn width(self: Layout) u32 {
        var most: usize = 0;
        for (self.plan.points) |p| most = @max(most, p.attributes.len);
        return @intCast(most);
    }

    /// The batch before the call.
    pub fn memory(self: Layout, room: Room) ![]align(8) u8 {
        const n = self.rows.len;
        var out = try Areas.begin(self.allocator, @as(u32, @intFromEnum(self.kind)) + 1, n, self.plan.fields.len);
        for (self.plan.fields, 0..) |f, i| try self.column(&out, i, f);
        switch (self.kind) {
            .filter => {
                out.header.keep_at = try out.filled((n + 7) / 8, 0);
                out.header.reasons_at = try out.filled(n, 0);
            },
            .split => out.header.routes_at = try out.filled(2 * n, 0xFF),
            .extract => try self.outputs(&out, room),
        }
        const empty = try self.allocator.alloc(u8, 8 * self.sessions.len);
        @memset(empty, 0);
        for (self.plan.cells) |_| try out.cells.append(self.allocator, empty);
        return self.finish(&out, self.slots);
    }

    /// The batch of sessions that have ended, with the cells that their beacons left.
    pub fn closed(self: Layout, ended_: Ended, room: Room) ![]align(8) u8 {
        const sessions = ended_.sessions;
        var out = try Areas.begin(self.allocator, 4, sessions.len, 2 + self.plan.points.len);
        const valid = try bits(self.allocator, sessions.len);
        for (0..sessions.len) |i| set(valid, i, true);
        for (0..2 + self.plan.points.len) |i| {
            const data = try self.allocator.alloc(i64, sessions.len);
            for (data, sessions) |*d, s| d.* = if (i == 0) s.first else if (i == 1) s.last else s.counted[i - 2];
            try out.describe(i, .{ 2, 0, try out.area(valid), try out.area(std.mem.sliceAsBytes(data)), 0, 0, 0, 0 });
        }
        try self.outputs(&out, room);
        const before: *const Batch = @ptrCast(ended_.answered.ptr);
        const slots = try self.allocator.alloc(u32, sessions.len);
        for (slots, 0..) |*s, i| s.* = @intCast(i);
        for (0..self.plan.cells.len) |i| {
            const at = number(ended_.answered, before.cells_at + 8 * i + 4);
            try out.cells.append(self.allocator, ended_.answered[at..][0 .. 8 * sessions.len]);
        }
        return self.finish(&out, slots);
    }

    fn outputs(self: Layout, out: *Areas, room: Room) !void {
        out.header.tuple_width = self.width();
        out.header.measurements_cap = room.measurements;
        out.header.tuples_cap = room.tuples;
        out.header.text_cap = room.text;
        out.header.measurements_at = try out.filled(@sizeOf(Measurement) * room.measurements, 0);
        out.header.tuples_at = try out.filled(8 * self.width() * room.tuples, 0);
        out.header.text_at = try out.filled(room.text, 0);
    }

    fn finish(self: Layout, out: *Areas, slots: []const u32) ![]align(8) u8 {
        out.header.counters = @intCast(self.plan.counters.len);
        out.header.counters_at = try out.filled(8 * self.plan.counters.len, 0);
        if (self.plan.cells.len > 0) {
            const descriptors = try self.allocator.alloc([2]u32, self.plan.cells.len);
            for (descriptors, self.plan.cells, out.cells.items) |*d, c, content| d.* = .{ typeNumber(c.type), try out.area(content) };
            out.header.cells = @intCast(self.plan.cells.len);
            out.header.cells_at = try out.area(std.mem.sliceAsBytes(descriptors));
            out.header.slots = @intCast(self.sessions.len);
            out.header.slots_at = try out.area(std.mem.sliceAsBytes(slots));
        }
        return out.finish();
    }

    fn column(self: Layout, out: *Areas, i: usize, field: pharos.Field) !void {
        const a = self.allocator;
        const valid = try bits(a, self.rows.len);
        const truths = try bits(a, self.rows.len);
        var data: std.ArrayList(u8) = .empty;
        var texts: std.ArrayList([]const u8) = .empty;
        for (self.rows, 0..) |row, r| {
            const v = row[i];
            const ok = has(field.type, v);
            set(valid, r, ok);
            set(truths, r, v.kind == .true);
            const text = if (ok) v.text else "";
            switch (field.type) {
                .i64 => try data.appendSlice(a, std.mem.asBytes(&@as(i64, if (ok) Json.of(text).integer().? else 0))),
                .f64 => try data.appendSlice(a, std.mem.asBytes(&@as(f64, if (ok) Json.of(text).number().? else 0))),
                .any, .kind => try data.append(a, @intFromEnum(v.kind)),
                else => {},
            }
            if (!field.dict) {
                try texts.append(a, text);
                continue;
            }
            const code = for (texts.items, 0..) |t, k| {
                if (pharos.equal(t, text)) break k;
            } else texts.items.len;
            if (ok and code == texts.items.len) try texts.append(a, text);
            try data.appendSlice(a, std.mem.asBytes(&@as(u32, if (ok) @intCast(code) else 0)));
        }
        if (field.dict and texts.items.len == 0) try texts.append(a, ""); // at least one entry
        const data_at = try out.area(if (field.type == .bool) truths else data.items);
        var descriptor: [8]u32 = .{ typeNumber(field.type), @intFromBool(field.dict), try out.area(valid), data_at, 0, 0, 0, 0 };
        if (field.type == .str or field.type == .json or field.type == .any) {
            const offsets = try a.alloc(u32, texts.items.len + 1);
            offsets[0] = 0;
            for (texts.items, 1..) |t, k| offsets[k] = offsets[k - 1] + @as(u32, @intCast(t.len));
            const bytes = try std.mem.concat(a, u8, texts.items);
            descriptor[4] = @intCast(texts.items.len);
            descriptor[5] = try out.area(std.mem.sliceAsBytes(offsets));
            descriptor[6] = try out.area(bytes);
            descriptor[7] = @intCast(bytes.len);
        }
        try out.describe(i, descriptor);
    }

    /// The sessions of beacons that were answered.
    pub fn ended(self: Layout, answered: []align(8) u8) ![]const Session {
        for (measurements(answered)) |m| {
            if (@abs(m.value) <= 1e9) self.sessions[self.slots[m.row]].counted[m.point] += 1;
        }
        return self.sessions;
    }

    /// The answer to each row, in the form of expected.
    pub fn answers(self: Layout, answered: []align(8) u8) ![]const []const u8 {
        const b: *const Batch = @ptrCast(answered.ptr);
        const all = try self.allocator.alloc([]const u8, b.rows);
        for (all, 0..) |*answer, row| answer.* = switch (self.kind) {
            .filter => if (answered[b.keep_at + row / 8] >> @intCast(row % 8) & 1 != 0) "null" else self.plan.reasons[answered[b.reasons_at + row]],
            .split => route: {
                const route = @as(usize, answered[b.routes_at + 2 * row]) | @as(usize, answered[b.routes_at + 2 * row + 1]) << 8;
                break :route if (route == 0xFFFF) "null" else self.plan.routes[route];
            },
            .extract => try self.measured(answered, row),
        };
        return all;
    }

    fn measured(self: Layout, answered: []align(8) u8, row: usize) ![]const u8 {
        const b: *const Batch = @ptrCast(answered.ptr);
        var out: std.ArrayList([]const u8) = .empty;
        for (measurements(answered)) |m| {
            if (m.row != row) continue;
            const point = self.plan.points[m.point];
            var attributes: std.ArrayList([]const u8) = .empty;
            for (point.attributes, 0..) |name, i| {
                if (m.attributes == 0) break;
                const at = b.tuples_at + 8 * ((m.attributes - 1) * b.tuple_width + i);
                const text = answered[number(answered, at)..][0..number(answered, at + 4)];
                if (text.len > 0) try attributes.append(self.allocator, try std.fmt.allocPrint(self.allocator, "{s}={s}", .{ name, text }));
            }
            try out.append(self.allocator, try describe(self.allocator, point.name, m.value, attributes.items));
        }
        return std.mem.join(self.allocator, "; ", out.items);
    }

    pub fn counters(self: Layout, answered: []align(8) u8) []u64 {
        const b: *const Batch = @ptrCast(answered.ptr);
        return @as([*]u64, @ptrCast(@alignCast(answered.ptr + b.counters_at)))[0..self.plan.counters.len];
    }
};

fn measurements(answered: []align(8) u8) []const Measurement {
    const b: *const Batch = @ptrCast(answered.ptr);
    if (b.kind < 3 or b.measurements == 0) return &.{};
    return @as([*]const Measurement, @ptrCast(@alignCast(answered.ptr + b.measurements_at)))[0..b.measurements];
}

fn number(bytes: []const u8, at: usize) usize {
    return std.mem.readInt(u32, bytes[at..][0..4], .little);
}

/// A measurement in the form of expected. Attributes are sorted.
fn describe(allocator: Allocator, point: []const u8, value_: f64, attributes: [][]const u8) ![]const u8 {
    std.mem.sort([]const u8, attributes, {}, struct {
        fn less(_: void, a: []const u8, b: []const u8) bool {
            return std.mem.lessThan(u8, a, b);
        }
    }.less);
    const bad = std.math.isNan(value_) or @abs(value_) > 1e9;
    const text = if (bad) "bad" else try std.fmt.allocPrint(allocator, "{d}", .{value_});
    return std.fmt.allocPrint(allocator, "{s} {s} {{{s}}}", .{ point, text, try std.mem.join(allocator, ", ", attributes) });
}

/// An entry of a vector's expect.
pub fn expected(allocator: Allocator, v: Json) ![]const u8 {
    if (v.isNull()) return "null";
    if (try v.stringAlloc(allocator)) |name| return name;
    var out: std.ArrayList([]const u8) = .empty;
    var all = v.elements();
    while (all.next()) |m| {
        const point = try (m.get("point") orelse Json.of("\"\"")).stringAlloc(allocator) orelse "";
        const number_ = if (m.get("value")) |n| n.number() orelse std.math.nan(f64) else 1;
        var attributes: std.ArrayList([]const u8) = .empty;
        var members = (m.get("attributes") orelse Json.of("{}")).members();
        while (members.next()) |e| {
            const text = try e.value.stringAlloc(allocator) orelse "";
            const name = try e.key.stringAlloc(allocator) orelse "";
            if (text.len > 0) try attributes.append(allocator, try std.fmt.allocPrint(allocator, "{s}={s}", .{ name, text }));
        }
        try out.append(allocator, try describe(allocator, point, number_, attributes.items));
    }
    return std.mem.join(allocator, "; ", out.items);
}

/// What a beacon has at a field.
fn value(allocator: Allocator, v: ?Json, field: []const u8, untyped: bool) !Value {
    const raw = (v orelse {
        if (pharos.equal(field, "$time")) return .{ .kind = .number, .text = "0" };
        for ([_][]const u8{ "$tenant", "$session", "$source" }) |name| {
            if (pharos.equal(field, name)) return .{ .kind = .string, .text = name[1..] };
        }
        return .{ .kind = .missing };
    }).raw;
    return switch (raw[0]) {
        'n' => .{ .kind = .null },
        'f' => .{ .kind = .false, .text = raw },
        't' => .{ .kind = .true, .text = raw },
        '[' => .{ .kind = .array, .text = raw },
        '{' => .{ .kind = .object, .text = raw },
        '"' => .{ .kind = if (untyped) .untyped else .string, .text = try v.?.stringAlloc(allocator) orelse "" },
        else => .{ .kind = .number, .text = raw },
    };
}

/// Tells whether a column of a type has the value.
fn has(t: pharos.Type, v: Value) bool {
    const k = @intFromEnum(v.kind);
    const is_number = (v.kind == .number or v.kind == .untyped) and isNumber(v.text);
    return switch (t) {
        .str => k >= @intFromEnum(ValueKind.false) and k <= @intFromEnum(ValueKind.untyped),
        .i64 => is_number and Json.of(v.text).integer() != null,
        .f64 => is_number,
        .bool => v.kind == .false or v.kind == .true,
        .json => v.kind == .array or v.kind == .object,
        .any, .kind => v.kind != .missing,
    };
}

/// Tells whether a text is a JSON number, which is less than what Zig parses.
fn isNumber(text: []const u8) bool {
    var rest = text;
    if (rest.len > 0 and rest[0] == '-') rest = rest[1..];
    const whole = digits(&rest);
    if (whole == 0 or whole > 1 and (rest.ptr - whole)[0] == '0') return false;
    if (rest.len > 0 and rest[0] == '.') {
        rest = rest[1..];
        if (digits(&rest) == 0) return false;
    }
    if (rest.len > 0 and rest[0] | 32 == 'e') {
        rest = rest[1..];
        if (rest.len > 0 and (rest[0] == '+' or rest[0] == '-')) rest = rest[1..];
        if (digits(&rest) == 0) return false;
    }
    return rest.len == 0;
}

fn digits(rest: *[]const u8) usize {
    var n: usize = 0;
    while (n < rest.len and std.ascii.isDigit(rest.*[n])) n += 1;
    rest.* = rest.*[n..];
    return n;
}

fn typeNumber(t: pharos.Type) u32 {
    return @as(u32, @intFromEnum(t)) + 1;
}

fn bits(allocator: Allocator, n: usize) ![]u8 {
    const bitmap = try allocator.alloc(u8, (n + 7) / 8);
    @memset(bitmap, 0);
    return bitmap;
}

fn set(bitmap: []u8, i: usize, on: bool) void {
    bitmap[i / 8] |= @as(u8, @intFromBool(on)) << @intCast(i % 8);
}

/// A batch that is being laid out.
const Areas = struct {
    allocator: Allocator,
    header: Batch,
    bytes: std.ArrayList(u8),
    cells: std.ArrayList([]const u8) = .empty,

    fn begin(allocator: Allocator, kind: u32, rows: usize, columns: usize) !Areas {
        var out: Areas = .{ .allocator = allocator, .header = std.mem.zeroes(Batch), .bytes = .empty };
        try out.bytes.appendNTimes(allocator, 0, @sizeOf(Batch) + 32 * columns);
        out.header.kind = kind;
        out.header.rows = @intCast(rows);
        out.header.columns = @intCast(columns);
        out.header.columns_at = @sizeOf(Batch);
        return out;
    }

    fn area(out: *Areas, content: []const u8) !u32 {
        const at = out.bytes.items.len;
        try out.bytes.appendSlice(out.allocator, content);
        try out.bytes.appendNTimes(out.allocator, 0, (8 - content.len % 8) % 8);
        return @intCast(at);
    }

    fn filled(out: *Areas, n: usize, byte: u8) !u32 {
        const content = try out.allocator.alloc(u8, n);
        @memset(content, byte);
        return out.area(content);
    }

    fn describe(out: *Areas, i: usize, descriptor: [8]u32) !void {
        @memcpy(out.bytes.items[@sizeOf(Batch) + 32 * i ..][0..32], std.mem.asBytes(&descriptor));
    }

    fn finish(out: *Areas) ![]align(8) u8 {
        out.header.size = @intCast(out.bytes.items.len);
        @memcpy(out.bytes.items[0..@sizeOf(Batch)], std.mem.asBytes(&out.header));
        const memory = try out.allocator.alignedAlloc(u8, .@"8", out.bytes.items.len);
        @memcpy(memory, out.bytes.items);
        return memory;
    }
};
