//! The batch of one call: columns to read, and what is answered. Indexes are checked in the safe build modes (a wrong one is
//! a trap), and not in ReleaseFast and ReleaseSmall.

const std = @import("std");
const Json = @import("json.zig").Json;

/// What an `any` or `kind` column holds at a row.
pub const ValueKind = enum(u8) {
    missing,
    null,
    false,
    true,
    /// A number; the text is as written.
    number,
    /// A string; the text is its content.
    string,
    /// Text of a source that has no types; a number if it looks like one.
    untyped,
    /// An array; the text is its JSON.
    array,
    /// An object; the text is its JSON.
    object,
};

fn bit(bitmap: []const u8, i: usize) bool {
    return bitmap[i >> 3] >> @intCast(i & 7) & 1 != 0;
}

/// A column of a batch. A row without a value has 0, false and an empty text. What is asked for must be of the column's
/// type in the plan.
pub const Column = struct {
    valids: []const u8,
    bools: []const u8 = &.{},
    kinds: []const u8 = &.{},
    codes: []const u32 = &.{}, // not empty: a dictionary
    ints: []const i64 = &.{},
    floats: []const f64 = &.{},
    offsets: []const u32 = &.{},
    bytes: []const u8 = &.{},

    /// Tells whether a row has a value.
    pub fn valid(self: *const Column, row: usize) bool {
        return bit(self.valids, row);
    }

    /// The value of a row of a bool column.
    pub fn boolean(self: *const Column, row: usize) bool {
        return bit(self.bools, row);
    }

    /// The number of a row of an f64 column.
    pub fn float(self: *const Column, row: usize) f64 {
        return self.floats[row];
    }

    /// The integer of a row of an i64 column.
    pub fn int(self: *const Column, row: usize) i64 {
        return self.ints[row];
    }

    /// The text of a row of a str, json or any column, dictionary or not; UTF-8, empty if it has none. It is valid during
    /// the call.
    pub fn text(self: *const Column, row: usize) []const u8 {
        if (self.codes.len == 0) return self.entry(row);
        return if (self.valid(row)) self.entry(self.code(row)) else ""; // the code of no value is that of any
    }

    /// Number of texts: of rows, or of the dictionary.
    pub fn entries(self: *const Column) usize {
        return self.offsets.len -| 1;
    }

    /// Text i: of row i, or of the dictionary's entry i.
    pub fn entry(self: *const Column, i: usize) []const u8 {
        return self.bytes[self.offsets[i]..self.offsets[i + 1]];
    }

    /// The dictionary's entry of a row; 0 if the row has no value.
    pub fn code(self: *const Column, row: usize) usize {
        return self.codes[row];
    }

    /// The dictionary's entry that is the text, if this batch has it.
    pub fn find(self: *const Column, wanted: []const u8) ?usize {
        for (0..self.entries()) |i| {
            if (std.mem.eql(u8, self.entry(i), wanted)) return i;
        }
        return null;
    }

    /// The kind of a row's value in an any or kind column.
    pub fn kind(self: *const Column, row: usize) ValueKind {
        return @enumFromInt(self.kinds[row]);
    }

    /// The array or object of a row of a json column, or of an any column that has one there.
    pub fn json(self: *const Column, row: usize) ?Json {
        const t = self.text(row);
        return if (t.len > 0 and (t[0] == '[' or t[0] == '{')) Json.of(t) else null;
    }
};

/// A session cell in the rows of a batch: a value that the host keeps for each session, 0 at its start. Rows of one session
/// see each other's writes.
pub fn Cell(comptime T: type) type {
    return struct {
        slots: []const u32,
        values: []T,

        /// The value in the session of a row.
        pub fn get(self: @This(), row: usize) T {
            return self.values[self.slots[row]];
        }

        /// Sets the value in the session of a row.
        pub fn set(self: @This(), row: usize, value: T) void {
            self.values[self.slots[row]] = value;
        }
    };
}

pub const Measurement = extern struct { row: u32, point: u32, attributes: u32, zero: u32 = 0, value: f64 };

/// It lies over the header that abi/SPEC.md describes.
pub const Batch = extern struct {
    size: u32,
    kind: u32,
    /// Number of rows.
    rows: u32,
    columns: u32,
    columns_at: u32,
    counters: u32,
    counters_at: u32,
    cells: u32,
    cells_at: u32,
    slots: u32,
    slots_at: u32,
    keep_at: u32,
    reasons_at: u32,
    routes_at: u32,
    measurements_at: u32,
    measurements_cap: u32,
    measurements: u32,
    tuple_width: u32,
    tuples_at: u32,
    tuples_cap: u32,
    tuples: u32,
    text_at: u32,
    text_cap: u32,
    text: u32,
    zero: [8]u32,

    /// n elements at a position. An empty area may have any position.
    fn area(self: *Batch, comptime T: type, at: u32, n: usize) []T {
        if (n == 0) return &.{};
        const base: [*]u8 = @ptrCast(self);
        return @as([*]T, @ptrCast(@alignCast(base + at)))[0..n];
    }

    /// Column i of the plan's fields. It is valid during the call.
    pub fn column(self: *Batch, i: usize) Column {
        const Descriptor = extern struct { type: u32, flags: u32, valid_at: u32, data_at: u32, entries: u32, offsets_at: u32, bytes_at: u32, bytes_len: u32 };
        const d = self.area(Descriptor, self.columns_at, self.columns)[i];
        const bitmap = (self.rows + 7) / 8;
        var c: Column = .{ .valids = self.area(u8, d.valid_at, bitmap) };
        switch (d.type) {
            2 => c.ints = self.area(i64, d.data_at, self.rows),
            3 => c.floats = self.area(f64, d.data_at, self.rows),
            4 => c.bools = self.area(u8, d.data_at, bitmap),
            6, 7 => c.kinds = self.area(u8, d.data_at, self.rows),
            else => if (d.flags & 1 != 0) {
                c.codes = self.area(u32, d.data_at, self.rows);
            },
        }
        if (d.type == 1 or d.type == 5 or d.type == 6) {
            c.offsets = self.area(u32, d.offsets_at, d.entries + 1);
            c.bytes = self.area(u8, d.bytes_at, d.bytes_len);
        }
        return c;
    }

    /// Keeps a row (filter). A row that is not kept is dropped.
    pub fn keep(self: *Batch, row: usize) void {
        self.area(u8, self.keep_at, (self.rows + 7) / 8)[row >> 3] |= @as(u8, 1) << @intCast(row & 7);
    }

    /// Gives the reason, an index in the plan, why a row is dropped (filter).
    pub fn drop(self: *Batch, row: usize, reason: u8) void {
        self.area(u8, self.reasons_at, self.rows)[row] = reason;
    }

    /// Sends a row to a route, an index in the plan (splitter). About a row that is sent nowhere the plugin has no opinion.
    pub fn route(self: *Batch, row: usize, to: u16) void {
        self.area(u16, self.routes_at, self.rows)[row] = to;
    }

    /// Adds n to a counter, an index in the plan.
    pub fn count(self: *Batch, counter: usize, n: u64) void {
        self.area(u64, self.counters_at, self.counters)[counter] +%= n;
    }

    /// Adds a measurement of a point, an index in the plan (extractor). Rows must not fall from call to call. NaN is a value
    /// that is no number. Attributes are in the order of the point's; an empty one is none. A text of a column is not
    /// copied.
    pub fn measure(self: *Batch, row: usize, point: u32, value: f64, attributes: []const []const u8) void {
        var tuple_of: u32 = 0;
        for (attributes) |a| {
            if (a.len > 0) {
                tuple_of = self.tuple(attributes);
                break;
            }
        }
        if (self.measurements < self.measurements_cap) {
            self.area(Measurement, self.measurements_at, self.measurements_cap)[self.measurements] =
                .{ .row = @intCast(row), .point = point, .attributes = tuple_of, .value = value };
        }
        self.measurements += 1;
    }

    /// Writes a tuple and gives 1 + its index. Where there is no room it only counts.
    fn tuple(self: *Batch, attributes: []const []const u8) u32 {
        std.debug.assert(attributes.len <= self.tuple_width); // no point of the plan has more
        const n = self.tuples;
        self.tuples += 1;
        const fits = n < self.tuples_cap;
        const values = self.area([2]u32, self.tuples_at, self.tuple_width * self.tuples_cap);
        if (fits) @memset(values[n * self.tuple_width ..][0..self.tuple_width], .{ 0, 0 });
        for (attributes, 0..) |a, i| {
            if (a.len == 0) continue;
            const at = self.position(a) orelse self.copy(a) orelse continue; // the batch comes again
            if (fits) values[n * self.tuple_width + i] = .{ at, @intCast(a.len) };
        }
        return n + 1;
    }

    /// Where in the batch a text lies, if it does.
    fn position(self: *Batch, t: []const u8) ?u32 {
        const at = @intFromPtr(t.ptr) -% @intFromPtr(self); // a text that lies before wraps around
        return if (at < self.size) @intCast(at) else null;
    }

    /// Puts a text into the text output, if it fits.
    fn copy(self: *Batch, t: []const u8) ?u32 {
        const from = self.text;
        self.text +|= @intCast(t.len);
        if (@as(u64, from) + t.len > self.text_cap) return null;
        @memcpy(self.area(u8, self.text_at, self.text_cap)[from..][0..t.len], t);
        return self.text_at + from;
    }

    /// A session cell, an index in the plan, of its type there: `batch.cell(i64, 0)`.
    pub fn cell(self: *Batch, comptime T: type, i: usize) Cell(T) {
        const kind: u32 = switch (T) {
            i64 => 2,
            f64 => 3,
            else => @compileError("a cell is i64 or f64"),
        };
        const d = self.area([2]u32, self.cells_at, self.cells)[i];
        std.debug.assert(d[0] == kind); // the plan has another type for the cell
        return .{ .slots = self.area(u32, self.slots_at, self.rows), .values = self.area(T, d[1], self.slots) };
    }

    /// The time of the first beacon of a session that has ended, ms since 1970. This and the next two are for close.
    pub fn first(self: *Batch, row: usize) i64 {
        return self.ended(0, row);
    }

    /// The time of its last beacon.
    pub fn last(self: *Batch, row: usize) i64 {
        return self.ended(1, row);
    }

    /// How many of its measurements of a point, an index in the plan, were booked.
    pub fn counted(self: *Batch, row: usize, point: usize) i64 {
        return self.ended(2 + point, row);
    }

    fn ended(self: *Batch, i: usize, row: usize) i64 {
        std.debug.assert(self.kind == 4); // the batch is of beacons, not of sessions that have ended
        return self.column(i).int(row);
    }

    /// Tells whether all outputs fitted. For the host's call, and for tests.
    pub fn fitted(self: *const Batch) bool {
        return self.measurements <= self.measurements_cap and self.tuples <= self.tuples_cap and self.text <= self.text_cap;
    }
};
