//! Measures image clicks with the image and its slot, and counts what has none.
const pharos = @import("pharos");

// Columns.
const kind = 0;
const image = 1;
const slot = 2;
const weight = 3;

// Points.
const click = 0;
const click_weight = 1;

// Counters.
const without_image = 0;

const Images = struct {
    pub const manifest: pharos.Manifest = .{
        .kind = .extract,
        .name = "images",
        .version = "1.0.0",
        .description = "Image clicks by image and slot.",
        .schema =
        \\{"type":"object","additionalProperties":false}
        ,
    };

    pub fn configure(_: pharos.Config) !Images {
        return .{};
    }

    pub fn plan(_: *const Images) pharos.Plan {
        return .{
            .fields = &.{
                .{ .name = "type", .dict = true },
                .{ .name = "img.id" },
                .{ .name = "img.slot" },
                .{ .name = "weight", .type = .f64 },
            },
            .points = &.{ .{ .name = "image_click", .attributes = &.{ "image", "slot" } }, .{ .name = "image_weight" } },
            .counters = &.{"without_image"},
        };
    }

    pub fn process(_: *Images, batch: *pharos.Batch) !void {
        const kinds = batch.column(kind);
        const images = batch.column(image);
        const slots = batch.column(slot);
        const weights = batch.column(weight);
        const code = kinds.find("click") orelse return;
        for (0..batch.rows) |row| {
            if (kinds.code(row) != code or !kinds.valid(row)) continue;
            const id = images.text(row);
            const at = slots.text(row);
            if (id.len == 0 and at.len == 0) batch.count(without_image, 1);
            batch.measure(row, click, 1, &.{ id, at });
            if (weights.valid(row)) batch.measure(row, click_weight, weights.float(row), &.{});
        }
    }
};

comptime {
    pharos.register(Images);
}

test "golden vectors" {
    try pharos.testing.golden(Images, @embedFile("extract.golden.ndjson"));
}
