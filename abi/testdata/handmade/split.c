// A splitter written from abi/SPEC.md alone: routes by the kind of a value, and by a price. One file, no libc, nothing
// of the SDK.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define TEXT(s) ((u64)(u32)(s) << 32 | (sizeof(s) - 1))

static const char manifest[] =
    "{\"kind\": \"split\", \"name\": \"handmade-split\", \"version\": \"1.0.0\"}";
static const char plan[] =
    "{\"fields\": [{\"name\": \"cart.price\", \"type\": \"f64\"}, {\"name\": \"cart\", \"type\": \"any\"},"
    " {\"name\": \"$source\", \"type\": \"str\"}, {\"name\": \"cart\", \"type\": \"kind\"}],"
    " \"routes\": [\"expensive\", \"structured\", \"null\", \"yes\", \"mobile\"]}";
enum { EXPENSIVE, STRUCTURED, NIL, YES, MOBILE, NO_OPINION = 0xffff };

extern u8 __heap_base;
static u32 top;    // the first free byte
static int owned;  // the first block is handed out and stays ours

EXPORT(pharos_abi) u32 pharos_abi(void) { return 1; }
EXPORT(pharos_manifest) u64 pharos_manifest(void) { return TEXT(manifest); }
EXPORT(pharos_plan) u64 pharos_plan(void) { return TEXT(plan); }
EXPORT(pharos_error) u64 pharos_error(void) { return 0; }
EXPORT(pharos_configure) u32 pharos_configure(u32 ptr, u32 len) { return 0; }

// The first block begins at the heap and is kept; each later one begins behind it, over the one before.
EXPORT(pharos_alloc) u32 pharos_alloc(u32 size, u32 align) {
  u32 at = top ? top : (u32)&__heap_base;
  at = (at + align - 1) / align * align;
  u64 end = (u64)at + size, have = (u64)__builtin_wasm_memory_size(0) << 16;
  if (end > have && __builtin_wasm_memory_grow(0, (u32)((end - have + 65535) >> 16)) == (u32)-1) return 0;
  if (!owned) {
    owned = 1;
    top = (u32)end;
  }
  return at;
}

EXPORT(pharos_process) u32 pharos_process(u8 *batch) {
  const u32 *head = (const u32 *)batch;
  const u32 rows = head[2];
  const u32 *price = (const u32 *)(batch + head[4]), *cart = price + 8, *source = price + 16, *same = price + 24;
  const double *prices = (const double *)(batch + price[3]);
  const u8 *kinds = batch + cart[3], *alone = batch + same[3];
  const u32 *offsets = (const u32 *)(batch + source[5]);
  const u8 *bytes = batch + source[6];
  u16 *routes = (u16 *)(batch + head[13]);
  for (u32 i = 0; i < rows; i++) {
    u16 route = NO_OPINION;
    const u8 *s = bytes + offsets[i];
    if (prices[i] >= 100) {  // 0 where it is not valid
      route = EXPENSIVE;
    } else if (kinds[i] == 7 || kinds[i] == 8) {
      route = STRUCTURED;
    } else if (alone[i] == 1) {
      route = NIL;
    } else if (alone[i] == 3) {
      route = YES;
    } else if (offsets[i + 1] - offsets[i] == 3 && s[0] == 'a' && s[1] == 'p' && s[2] == 'p') {
      route = MOBILE;
    }
    routes[i] = route;
  }
  return 0;
}
