//! Writes Pharos plugins (ABI version 1, abi/SPEC.md) in Zig. A plugin is a type that is registered:
//!
//!     const pharos = @import("pharos");
//!
//!     const Health = struct {
//!         pub const manifest: pharos.Manifest = .{ .kind = .filter, .name = "health", .version = "1.0.0" };
//!
//!         pub fn configure(_: pharos.Config) !Health {
//!             return .{};
//!         }
//!
//!         pub fn plan(_: *const Health) pharos.Plan {
//!             return .{ .fields = &.{.{ .name = "path", .type = .str }}, .reasons = &.{"health check"} };
//!         }
//!
//!         pub fn process(_: *Health, batch: *pharos.Batch) !void {
//!             const path = batch.column(0);
//!             for (0..batch.rows) |row| {
//!                 if (pharos.equal(path.text(row), "/healthz")) batch.drop(row, 0) else batch.keep(row);
//!             }
//!         }
//!     };
//!
//!     comptime {
//!         pharos.register(Health);
//!     }
//!
//! An extractor that measures sessions when they end has `pub fn close(self: *Visits, batch: *pharos.Batch) !void` too.
//!
//! What a plugin answers for a row must depend on the config, the data files, that row and its session's cells only: the
//! host splits, joins and repeats batches. A panic is a trap: the host ends the instance and looks for the guilty row.

const std = @import("std");
const builtin = @import("builtin");
const batches = @import("batch.zig");
const plans = @import("plan.zig");

pub const Batch = batches.Batch;
pub const Column = batches.Column;
pub const ValueKind = batches.ValueKind;
pub const Cell = batches.Cell;
pub const Json = @import("json.zig").Json;
pub const Kind = plans.Kind;
pub const Type = plans.Type;
pub const Manifest = plans.Manifest;
pub const Plan = plans.Plan;
pub const Field = plans.Field;
pub const Point = plans.Point;

/// Runs golden vectors natively.
pub const testing = @import("testing.zig");

const wasm = builtin.target.cpu.arch.isWasm();

/// Memory for tables and texts. What is taken in configure may stay; what process takes it should give back.
pub const allocator = if (wasm) std.heap.wasm_allocator else std.heap.page_allocator;

/// Tells whether two texts are the same.
pub fn equal(a: []const u8, b: []const u8) bool {
    return std.mem.eql(u8, a, b);
}

/// A plugin's config and data files. Texts of them stay as long as the instance.
pub const Config = struct {
    /// The config, an object. It is as the manifest's schema wants it.
    json: Json,
    files: Json,

    /// Reads the document that the host passes.
    pub fn read(text: []const u8) Config {
        const document = Json.of(text);
        return .{ .json = document.get("config") orelse Json.of("{}"), .files = document.get("data") orelse Json.of("{}") };
    }

    /// The value of a key of the config.
    pub fn get(self: Config, key: []const u8) ?Json {
        return self.json.get(key);
    }

    /// The content of a data file, if the user has named one.
    pub fn data(self: Config, name: []const u8) ?[]const u8 {
        const entry = self.files.get(name) orelse return null;
        const at = (entry.get("ptr") orelse return null).integer() orelse return null;
        const len = (entry.get("len") orelse return null).integer() orelse return null;
        if (len == 0) return "";
        return @as([*]const u8, @ptrFromInt(@as(usize, @intCast(at))))[0..@intCast(len)];
    }
};

/// What fail gives.
pub const Failed = error{Failed};

var why: []const u8 = "";

/// Says why a config is refused or a batch fails: `return pharos.fail("no file named {s}", .{name});`
pub fn fail(comptime format: []const u8, args: anytype) Failed {
    why = std.fmt.allocPrint(allocator, format, args) catch format;
    return error.Failed;
}

/// The text of an error: what fail has said, or its name.
pub fn errorText(e: anyerror) []const u8 {
    return if (e == error.Failed) why else @errorName(e);
}

/// Makes a plugin the module's. Call it once, in a comptime block. Natively it does nothing.
pub fn register(comptime P: type) void {
    if (!wasm) return;
    const G = Guest(P);
    @export(&G.abi, .{ .name = "pharos_abi" });
    @export(&G.manifest, .{ .name = "pharos_manifest" });
    @export(&G.alloc, .{ .name = "pharos_alloc" });
    @export(&G.configure, .{ .name = "pharos_configure" });
    @export(&G.plan, .{ .name = "pharos_plan" });
    @export(&G.process, .{ .name = "pharos_process" });
    @export(&G.lastError, .{ .name = "pharos_error" });
    if (@hasDecl(P, "close")) @export(&G.close, .{ .name = "pharos_close" });
}

/// What the exports of a module do.
fn Guest(comptime P: type) type {
    return struct {
        var plugin: ?P = null;
        var arena: Arena = .{};
        var failure: []const u8 = "";

        const done = 0;
        const too_small = 1;
        const failed = 2;

        fn abi() callconv(.c) u32 {
            return 1;
        }

        fn manifest() callconv(.c) u64 {
            return give(comptime P.manifest.json());
        }

        fn alloc(size: usize, _: usize) callconv(.c) usize {
            return if (plugin == null) pages(size) else arena.room(size);
        }

        fn configure(at: [*]const u8, len: usize) callconv(.c) u32 {
            plugin = P.configure(Config.read(at[0..len])) catch |e| return failWith(e);
            return done;
        }

        fn plan() callconv(.c) u64 {
            return give(plugin.?.plan().json(allocator) catch "");
        }

        fn process(batch: *Batch) callconv(.c) u32 {
            P.process(&plugin.?, batch) catch |e| return failWith(e);
            return if (batch.fitted()) done else too_small;
        }

        fn close(batch: *Batch) callconv(.c) u32 {
            P.close(&plugin.?, batch) catch |e| return failWith(e);
            return if (batch.fitted()) done else too_small;
        }

        fn lastError() callconv(.c) u64 {
            return give(failure);
        }

        fn failWith(e: anyerror) u32 {
            failure = errorText(e);
            return failed;
        }

        fn give(text: []const u8) u64 {
            return @as(u64, @intFromPtr(text.ptr)) << 32 | text.len;
        }
    };
}

const page = 65536;

/// Grows the memory and gives where the new pages begin, 0 if there are no more.
fn pages(bytes: usize) usize {
    const before = @wasmMemoryGrow(0, bytes / page + @intFromBool(bytes % page != 0));
    return if (before < 0) 0 else @as(usize, @intCast(before)) * page;
}

/// The block that batches are laid out in: pages of its own, which grow in place where nothing came to lie behind them.
const Arena = struct {
    at: usize = 0,
    size: usize = 0,

    fn room(self: *Arena, want: usize) usize {
        if (want <= self.size) return self.at;
        const end = @wasmMemorySize(0) * page;
        if (self.at != 0 and self.at + self.size == end) {
            if (pages(want - self.size) == 0) return 0;
        } else {
            // With room to spare, so that not every larger batch moves it: nobody gets its pages.
            var to = pages(want *| 2);
            if (to == 0) to = pages(want);
            if (to == 0) return 0;
            self.at = to;
        }
        self.size = @wasmMemorySize(0) * page - self.at;
        return self.at;
    }
};
