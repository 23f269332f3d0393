//! Measures orders, which of them are not the first of their session, and, when a session with orders has ended, what was
//! spent and how long it took.
const pharos = @import("pharos");

// Columns.
const kind = 0;
const price = 1;

// Points.
const order = 0;
const repeat_order = 1;
const session_spent = 2;
const session_seconds = 3;

// Cells.
const orders = 0;
const spent = 1;

const Orders = struct {
    pub const manifest: pharos.Manifest = .{
        .kind = .extract,
        .name = "orders",
        .version = "1.0.0",
        .description = "Orders, and what sessions with orders spent.",
        .schema =
        \\{"type":"object","additionalProperties":false}
        ,
    };

    pub fn configure(_: pharos.Config) !Orders {
        return .{};
    }

    pub fn plan(_: *const Orders) pharos.Plan {
        return .{
            .fields = &.{ .{ .name = "type" }, .{ .name = "price", .type = .f64 } },
            .points = &.{ .{ .name = "order" }, .{ .name = "repeat_order" }, .{ .name = "session_spent" }, .{ .name = "session_seconds" } },
            .cells = &.{ .{ .name = "orders", .type = .i64 }, .{ .name = "spent", .type = .f64 } },
        };
    }

    pub fn process(_: *Orders, batch: *pharos.Batch) !void {
        const kinds = batch.column(kind);
        const prices = batch.column(price);
        const so_many = batch.cell(i64, orders);
        const so_far = batch.cell(f64, spent);
        for (0..batch.rows) |row| {
            if (!pharos.equal(kinds.text(row), "order") or !prices.valid(row)) continue;
            batch.measure(row, order, prices.float(row), &.{});
            if (so_many.get(row) > 0) batch.measure(row, repeat_order, 1, &.{});
            so_many.set(row, so_many.get(row) + 1);
            so_far.set(row, so_far.get(row) + prices.float(row));
        }
    }

    /// Rows are sessions here.
    pub fn close(_: *Orders, batch: *pharos.Batch) !void {
        const so_far = batch.cell(f64, spent);
        for (0..batch.rows) |row| {
            if (batch.counted(row, order) == 0) continue;
            batch.measure(row, session_spent, so_far.get(row), &.{});
            batch.measure(row, session_seconds, @as(f64, @floatFromInt(batch.last(row) - batch.first(row))) / 1000, &.{});
        }
    }
};

comptime {
    pharos.register(Orders);
}

test "golden vectors" {
    try pharos.testing.golden(Orders, @embedFile("session.golden.ndjson"));
}
