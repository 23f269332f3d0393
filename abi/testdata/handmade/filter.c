// A filter written from abi/SPEC.md alone: it drops debug beacons, beacons whose status is 400 or more, and those of
// agents that begin with "test". It takes no config. One file, no libc, nothing of the SDK.

typedef unsigned char u8;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define TEXT(s) ((u64)(u32)(s) << 32 | (sizeof(s) - 1))

static const char manifest[] =
    "{\"kind\": \"filter\", \"name\": \"handmade-filter\", \"version\": \"1.0.0\","
    " \"config\": {\"type\": \"object\", \"additionalProperties\": false}}";
static const char plan[] =
    "{\"fields\": [{\"name\": \"debug\", \"type\": \"bool\"}, {\"name\": \"status\", \"type\": \"i64\"},"
    " {\"name\": \"agent\", \"type\": \"str\", \"dict\": true}],"
    " \"reasons\": [\"debug\", \"status\", \"agent\"], \"counters\": [\"failed\"]}";

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

static int bit(const u8 *bits, u32 i) { return bits[i >> 3] >> (i & 7) & 1; }

EXPORT(pharos_process) u32 pharos_process(u8 *batch) {
  const u32 *head = (const u32 *)batch;
  const u32 rows = head[2];
  const u32 *debug = (const u32 *)(batch + head[4]), *status = debug + 8, *agent = debug + 16;
  const u8 *is_debug = batch + debug[3];  // a row that is not valid is false
  const i64 *code = (const i64 *)(batch + status[3]);
  const u8 *has_agent = batch + agent[2];
  const u32 *agents = (const u32 *)(batch + agent[3]), *offsets = (const u32 *)(batch + agent[5]);
  const u8 *bytes = batch + agent[6];
  u64 *failed = (u64 *)(batch + head[6]);
  u8 *keep = batch + head[11], *reasons = batch + head[12];
  for (u32 i = 0; i < rows; i++) {
    if (bit(is_debug, i)) {
      reasons[i] = 0;
      continue;
    }
    if (code[i] >= 400) {  // 0 where it is not valid
      reasons[i] = 1;
      failed[0]++;
      continue;
    }
    if (bit(has_agent, i)) {
      u32 a = offsets[agents[i]], n = offsets[agents[i] + 1] - a;
      const u8 *s = bytes + a;
      if (n >= 4 && s[0] == 't' && s[1] == 'e' && s[2] == 's' && s[3] == 't') {
        reasons[i] = 2;
        continue;
      }
    }
    keep[i >> 3] |= (u8)(1 << (i & 7));
  }
  return 0;
}
