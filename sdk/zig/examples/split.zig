//! Sends rows to the route "big" whose price is at least the configured minimum.
const pharos = @import("pharos");

// Routes.
const small = 0;
const big = 1;

const ByPrice = struct {
    minimum: f64,

    pub const manifest: pharos.Manifest = .{
        .kind = .split,
        .name = "by-price",
        .version = "1.0.0",
        .description = "Routes by price.",
        .schema =
        \\{"type":"object","properties":{"minimum":{"type":"number","minimum":0}},"additionalProperties":false}
        ,
    };

    pub fn configure(config: pharos.Config) !ByPrice {
        const minimum = config.get("minimum") orelse return .{ .minimum = 100 };
        return .{ .minimum = minimum.number() orelse 100 };
    }

    pub fn plan(_: *const ByPrice) pharos.Plan {
        return .{ .fields = &.{.{ .name = "product.price", .type = .f64 }}, .routes = &.{ "small", "big" } };
    }

    pub fn process(self: *ByPrice, batch: *pharos.Batch) !void {
        const price = batch.column(0);
        for (0..batch.rows) |row| {
            if (price.valid(row)) batch.route(row, if (price.float(row) >= self.minimum) big else small);
        }
    }
};

comptime {
    pharos.register(ByPrice);
}

test "golden vectors" {
    try pharos.testing.golden(ByPrice, @embedFile("split.golden.ndjson"));
}
