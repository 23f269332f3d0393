//! Measures each row with a text of its own making, for a test of the text output: the row's text twice, beside the text
//! itself; and of the columns that no example has.
const std = @import("std");
const pharos = @import("pharos");

const Text = struct {
    pub const manifest: pharos.Manifest = .{ .kind = .extract, .name = "text", .version = "1" };

    pub fn configure(_: pharos.Config) !Text {
        return .{};
    }

    pub fn plan(_: *const Text) pharos.Plan {
        return .{
            .fields = &.{ .{ .name = "s" }, .{ .name = "a", .type = .any }, .{ .name = "i", .type = .i64 }, .{ .name = "b", .type = .bool } },
            .points = &.{ .{ .name = "row", .attributes = &.{ "text", "twice" } }, .{ .name = "kind" }, .{ .name = "integer" }, .{ .name = "true" } },
        };
    }

    pub fn process(_: *Text, batch: *pharos.Batch) !void {
        const s = batch.column(0);
        const a = batch.column(1);
        const i = batch.column(2);
        const b = batch.column(3);
        for (0..batch.rows) |row| {
            const text = s.text(row);
            const twice = try std.mem.concat(pharos.allocator, u8, &.{ text, text });
            defer pharos.allocator.free(twice);
            batch.measure(row, 0, 1, &.{ text, twice });
            batch.measure(row, 1, @floatFromInt(@intFromEnum(a.kind(row))), &.{});
            if (i.valid(row)) batch.measure(row, 2, @floatFromInt(i.int(row)), &.{});
            if (b.boolean(row)) batch.measure(row, 3, 1, &.{});
        }
    }
};

comptime {
    pharos.register(Text);
}
