//! Drops beacons of internal visitors: a flag, or an address that begins with the configured prefix.
const std = @import("std");
const pharos = @import("pharos");

// Columns.
const internal = 0;
const remote = 1;

const Internal = struct {
    prefix: []const u8,

    pub const manifest: pharos.Manifest = .{
        .kind = .filter,
        .name = "internal",
        .version = "1.0.0",
        .description = "Drops beacons of internal visitors.",
        .schema =
        \\{"type":"object","properties":{"prefix":{"type":"string"}},"additionalProperties":false}
        ,
    };

    pub fn configure(config: pharos.Config) !Internal {
        const prefix = config.get("prefix") orelse return .{ .prefix = "" };
        return .{ .prefix = try prefix.stringAlloc(pharos.allocator) orelse "" };
    }

    pub fn plan(_: *const Internal) pharos.Plan {
        return .{
            .fields = &.{ .{ .name = "internal", .type = .bool }, .{ .name = "remote", .type = .str } },
            .reasons = &.{"internal"},
        };
    }

    pub fn process(self: *Internal, batch: *pharos.Batch) !void {
        const flag = batch.column(internal);
        const from = batch.column(remote);
        for (0..batch.rows) |row| {
            if (flag.boolean(row) or self.prefix.len > 0 and std.mem.startsWith(u8, from.text(row), self.prefix)) {
                batch.drop(row, 0);
            } else {
                batch.keep(row);
            }
        }
    }
};

comptime {
    pharos.register(Internal);
}

test "golden vectors" {
    try pharos.testing.golden(Internal, @embedFile("filter.golden.ndjson"));
}
