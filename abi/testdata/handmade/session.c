// An extractor with session state by abi/SPEC.md alone: it measures how much dearer a price is than the last one of the
// session, and at the session's end the highest price and the seconds it took, for sessions that had a price. It takes
// no config. One file, no libc, nothing of the SDK.

typedef unsigned char u8;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define TEXT(s) ((u64)(u32)(s) << 32 | (sizeof(s) - 1))

static const char manifest[] =
    "{\"kind\": \"extract\", \"name\": \"handmade-session\", \"version\": \"1.0.0\","
    " \"config\": {\"type\": \"object\", \"additionalProperties\": false}}";
static const char plan[] =
    "{\"fields\": [{\"name\": \"price\", \"type\": \"f64\"}],"
    " \"points\": [{\"name\": \"rise\"}, {\"name\": \"highest\"}, {\"name\": \"seconds\"}],"
    " \"cells\": [{\"name\": \"last\", \"type\": \"f64\"}, {\"name\": \"prices\", \"type\": \"i64\"}, {\"name\": \"highest\", \"type\": \"f64\"}]}";
enum { RISE, HIGHEST, SECONDS };

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

static u32 *head;

static void measure(u32 row, u32 point, double value) {
  u32 n = head[16]++;
  if (n >= head[15]) return;
  u32 *m = (u32 *)((u8 *)head + head[14] + 24 * n);
  m[0] = row, m[1] = point, m[2] = 0, m[3] = 0;
  *(double *)(m + 4) = value;
}

// The value of a cell in the session of a row.
static void *cell(u32 i, u32 row) {
  u8 *batch = (u8 *)head;
  u32 at = ((u32 *)(batch + head[8]))[2 * i + 1], slot = ((u32 *)(batch + head[10]))[row];
  return batch + at + 8 * slot;
}

static const void *column(u32 i) { return (u8 *)head + ((u32 *)((u8 *)head + head[4]))[8 * i + 3]; }

EXPORT(pharos_process) u32 pharos_process(u32 *batch) {
  head = batch;
  const double *price = column(0);
  const u8 *valid = (u8 *)head + ((u32 *)((u8 *)head + head[4]))[2];
  for (u32 i = 0; i < head[2]; i++) {
    if (!(valid[i >> 3] >> (i & 7) & 1)) continue;
    double *last = cell(0, i), *highest = cell(2, i);
    i64 *prices = cell(1, i);
    if (*prices > 0 && price[i] > *last) measure(i, RISE, price[i] - *last);
    if (*prices == 0 || price[i] > *highest) *highest = price[i];
    *last = price[i];
    ++*prices;
  }
  return head[16] > head[15];
}

EXPORT(pharos_close) u32 pharos_close(u32 *batch) {
  head = batch;
  const i64 *first = column(0), *last = column(1);
  for (u32 i = 0; i < head[2]; i++) {
    if (*(i64 *)cell(1, i) == 0) continue;
    measure(i, HIGHEST, *(double *)cell(2, i));
    measure(i, SECONDS, (double)(last[i] - first[i]) / 1000);
  }
  return head[16] > head[15];
}
