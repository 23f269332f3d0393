// An extractor written from abi/SPEC.md alone: it calls the functions of section 9 and measures what they answer, their
// errno and, of those that give a value, the value. A row says which.

typedef unsigned char u8;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
#define TEXT(s) ((u64)(u32)(s) << 32 | (sizeof(s) - 1))

WASI(args_sizes_get) u32 args_sizes_get(u32 *n, u32 *bytes);
WASI(environ_sizes_get) u32 environ_sizes_get(u32 *n, u32 *bytes);
WASI(clock_time_get) u32 clock_time_get(u32 clock, u64 precision, u64 *time);
WASI(clock_res_get) u32 clock_res_get(u32 clock, u64 *resolution);
WASI(random_get) u32 random_get(u8 *at, u32 n);
WASI(sched_yield) u32 sched_yield(void);
WASI(poll_oneoff) u32 poll_oneoff(const u8 *in, u8 *out, u32 n, u32 *events);
WASI(fd_write) u32 fd_write(u32 fd, const u32 *vectors, u32 n, u32 *written);
WASI(fd_read) u32 fd_read(u32 fd, const u32 *vectors, u32 n, u32 *read);
WASI(fd_seek) u32 fd_seek(u32 fd, i64 offset, u32 whence, u64 *position);
WASI(fd_close) u32 fd_close(u32 fd);
WASI(fd_prestat_get) u32 fd_prestat_get(u32 fd, u8 *out);
WASI(path_open) u32 path_open(u32 fd, u32 flags, const char *path, u32 len, u32 open, u64 rights, u64 inheriting, u32 fdflags, u32 *out);

static const char manifest[] =
    "{\"kind\": \"extract\", \"name\": \"handmade-wasi\", \"version\": \"1.0.0\", \"description\": \"What WASI answers.\"}";
static const char plan[] =
    "{\"fields\": [{\"name\": \"call\", \"type\": \"str\"}], \"points\": [{\"name\": \"errno\"}, {\"name\": \"value\"}]}";
enum { ERRNO, VALUE };

extern u8 __heap_base;

EXPORT(pharos_abi) u32 pharos_abi(void) { return 1; }
EXPORT(pharos_manifest) u64 pharos_manifest(void) { return TEXT(manifest); }
EXPORT(pharos_plan) u64 pharos_plan(void) { return TEXT(plan); }
EXPORT(pharos_error) u64 pharos_error(void) { return 0; }
EXPORT(pharos_configure) u32 pharos_configure(const u8 *at, u32 len) { return 0; }

// Nothing of the config is kept, so every block may begin where the one before did.
EXPORT(pharos_alloc) u32 pharos_alloc(u32 size, u32 align) {
  u32 at = ((u32)&__heap_base + align - 1) / align * align;
  u64 end = (u64)at + size, have = (u64)__builtin_wasm_memory_size(0) << 16;
  if (end > have && __builtin_wasm_memory_grow(0, (u32)((end - have + 65535) >> 16)) == (u32)-1) return 0;
  return at;
}

static u32 errno;
static double value;
static int valued;

static void with(double v) { value = v, valued = 1; }

static int is(const u8 *at, u32 len, const char *s) {
  u32 i = 0;
  for (; i < len && s[i]; i++)
    if (at[i] != (u8)s[i]) return 0;
  return i == len && !s[i];
}

// call does what a row says; 0 if it is not known.
static int call(const u8 *at, u32 len) {
  u32 n = 7, bytes = 7;
  u64 big = 7;
  u8 some[9];
  const char *hello = "hello\n";
  u32 vector[2] = {(u32)hello, 6};
  valued = 0;
  if (is(at, len, "args")) errno = args_sizes_get(&n, &bytes), with(n + bytes);
  else if (is(at, len, "environ")) errno = environ_sizes_get(&n, &bytes), with(n + bytes);
  else if (is(at, len, "clock")) errno = clock_time_get(1, 1, &big), with((double)big / 1e12);
  else if (is(at, len, "clock outside")) errno = clock_time_get(0, 1, (u64 *)0xfffffffc);
  else if (is(at, len, "resolution")) errno = clock_res_get(0, &big), with((double)big);
  else if (is(at, len, "random")) {
    errno = random_get(some, 9);
    u32 sum = 0;
    for (u32 i = 0; i < 9; i++) sum += (i + 1) * some[i];
    with(sum);
  } else if (is(at, len, "random, much")) errno = random_get(some, (1 << 20) + 1);
  else if (is(at, len, "yield")) errno = sched_yield();
  else if (is(at, len, "poll nothing")) errno = poll_oneoff(some, some, 0, &n);
  else if (is(at, len, "write")) errno = fd_write(1, vector, 1, &n), with(n);
  else if (is(at, len, "write elsewhere")) errno = fd_write(3, vector, 1, &n);
  else if (is(at, len, "read")) errno = fd_read(0, vector, 1, &n), with(n);
  else if (is(at, len, "seek")) errno = fd_seek(2, 0, 0, &big);
  else if (is(at, len, "close")) errno = fd_close(0);
  else if (is(at, len, "prestat")) errno = fd_prestat_get(3, some);
  else if (is(at, len, "open")) errno = path_open(3, 0, "a", 1, 0, 0, 0, 0, &n);
  else return 0;
  return 1;
}

static u32 word(const u8 *b, u32 at) { return *(const u32 *)(b + at); }

EXPORT(pharos_process) u32 pharos_process(u8 *b) {
  u32 rows = word(b, 8), have = word(b, 60), n = 0;
  const u8 *column = b + word(b, 16);
  const u32 *offsets = (const u32 *)(b + word(column, 20));
  const u8 *bytes = b + word(column, 24);
  struct {
    u32 row, point, attributes, zero;
    double value;
  } *out = (void *)(b + word(b, 56));
  for (u32 row = 0; row < rows; row++) {
    if (!call(bytes + offsets[row], offsets[row + 1] - offsets[row])) continue;
    for (u32 point = ERRNO; point <= (u32)(valued ? VALUE : ERRNO); point++, n++) {
      if (n >= have) continue;
      out[n].row = row, out[n].point = point, out[n].attributes = 0, out[n].zero = 0;
      out[n].value = point == ERRNO ? errno : value;
    }
  }
  *(u32 *)(b + 64) = n;
  return n > have;
}
