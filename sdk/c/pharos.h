/* pharos.h: writes Pharos plugins (ABI version 1, abi/SPEC.md) in C without libc.
 *
 * Include it in one source file, define the four names below, and build with
 *   clang --target=wasm32 -O2 -nostdlib -mbulk-memory -Wl,--no-entry -o NAME.wasm NAME.c
 *
 *   const char ph_manifest[] = "{...}";                 the manifest, JSON
 *   static int  ph_configure(ph_text config, ph_text data);
 *                                                       0, or ph_fail("..."); config and data are JSON objects
 *   static ph_text ph_plan(void);                       the plan, JSON, made in ph_configure or constant
 *   static int  ph_process(const ph_batch *b);          0, PH_TOO_SMALL, or ph_fail("...")
 *
 * Memory from ph_new lives as long as the instance; it may be taken in
 * ph_configure only. Pointers into the config, the data files and a batch need
 * no copy: the first two stay, a batch lasts for its call. */
#ifndef PHAROS_H
#define PHAROS_H

typedef unsigned char ph_u8;
typedef unsigned short ph_u16;
typedef unsigned int ph_u32;
typedef unsigned long long ph_u64;
typedef long long ph_i64;

typedef struct { const char *at; ph_u32 len; } ph_text;
typedef struct ph_header ph_batch;

enum { PH_OK = 0, PH_TOO_SMALL = 1, PH_ERROR = 2 };
enum { PH_NO_ROUTE = 0xFFFF };
enum { PH_STR = 1, PH_I64 = 2, PH_F64 = 3, PH_BOOL = 4, PH_JSON = 5, PH_ANY = 6 };

/* Header of a batch; positions are relative to it. */
struct ph_header {
  ph_u32 size, kind, rows, columns, columns_at, counters, counters_at, cells, cells_at, slots, slots_at;
  ph_u32 keep_at, reasons_at, routes_at;
  ph_u32 measurements_at, measurements_cap, measurements, tuple_width, tuples_at, tuples_cap, tuples;
  ph_u32 text_at, text_cap, text, zero[8];
};

typedef struct {
  ph_u32 type, flags, valid_at, data_at, entries, offsets_at, bytes_at, bytes_len;
} ph_column;

typedef struct { ph_u32 row, point, attributes, zero; double value; } ph_measurement;

static inline const char *ph_at(const ph_batch *b, ph_u32 position) { return (const char *)b + position; }
static inline const ph_column *ph_col(const ph_batch *b, ph_u32 i) {
  return (const ph_column *)ph_at(b, b->columns_at) + i;
}
static inline int ph_valid(const ph_batch *b, const ph_column *c, ph_u32 row) {
  return ((const ph_u8 *)ph_at(b, c->valid_at))[row >> 3] >> (row & 7) & 1;
}
/* Text i of a str, json or any column: of row i, or of entry i of a dictionary. */
static inline ph_text ph_entry(const ph_batch *b, const ph_column *c, ph_u32 i) {
  const ph_u32 *o = (const ph_u32 *)ph_at(b, c->offsets_at);
  return (ph_text){ph_at(b, c->bytes_at) + o[i], o[i + 1] - o[i]};
}
static inline const ph_u32 *ph_codes(const ph_batch *b, const ph_column *c) { return (const ph_u32 *)ph_at(b, c->data_at); }
static inline const double *ph_f64s(const ph_batch *b, const ph_column *c) { return (const double *)ph_at(b, c->data_at); }
static inline const ph_i64 *ph_i64s(const ph_batch *b, const ph_column *c) { return (const ph_i64 *)ph_at(b, c->data_at); }
static inline ph_u64 *ph_counters(const ph_batch *b) { return (ph_u64 *)ph_at(b, b->counters_at); }

/* Outputs. */
static inline void ph_keep(const ph_batch *b, ph_u32 row) { ((ph_u8 *)ph_at(b, b->keep_at))[row >> 3] |= 1 << (row & 7); }
static inline void ph_drop(const ph_batch *b, ph_u32 row, ph_u8 reason) { ((ph_u8 *)ph_at(b, b->reasons_at))[row] = reason; }
static inline void ph_route(const ph_batch *b, ph_u32 row, ph_u16 route) { ((ph_u16 *)ph_at(b, b->routes_at))[row] = route; }

/* ph_measure adds a measurement, and counts on where there is no room:
 * ph_measured tells at the end. attributes is 0 or 1 + the index of a tuple. */
static inline void ph_measure(const ph_batch *b, ph_u32 row, ph_u32 point, double value, ph_u32 attributes) {
  struct ph_header *h = (struct ph_header *)b;
  if (h->measurements < h->measurements_cap)
    ((ph_measurement *)ph_at(b, b->measurements_at))[h->measurements] = (ph_measurement){row, point, attributes, 0, value};
  h->measurements++;
}
/* ph_tuple adds a tuple without values and returns 1 + its index; ph_set gives
 * it a value, a text that lies in the batch. */
static inline ph_u32 ph_tuple(const ph_batch *b) {
  struct ph_header *h = (struct ph_header *)b;
  if (h->tuples < h->tuples_cap) {
    ph_u32 *t = (ph_u32 *)ph_at(b, b->tuples_at) + h->tuples * h->tuple_width * 2;
    for (ph_u32 i = 0; i < h->tuple_width * 2; i++) t[i] = 0;
  }
  return ++h->tuples;
}
static inline void ph_set(const ph_batch *b, ph_u32 tuple, ph_u32 attribute, ph_text value) {
  if (tuple > b->tuples_cap) return;
  ph_u32 *t = (ph_u32 *)ph_at(b, b->tuples_at) + ((tuple - 1) * b->tuple_width + attribute) * 2;
  t[0] = (ph_u32)(value.at - (const char *)b);
  t[1] = value.len;
}
static inline int ph_measured(const ph_batch *b) {
  return b->measurements > b->measurements_cap || b->tuples > b->tuples_cap ? PH_TOO_SMALL : PH_OK;
}
#define PH_NAN (__builtin_nan(""))

/* Texts. */
#define PH_TEXT(s) ((ph_text){s, sizeof(s) - 1})
static inline int ph_equal(ph_text a, ph_text b) {
  if (a.len != b.len) return 0;
  for (ph_u32 i = 0; i < a.len; i++)
    if (a.at[i] != b.at[i]) return 0;
  return 1;
}
static inline char ph_lower(char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

/* Memory: a heap that only grows. Behind it, once the plan is made, the arena. */
extern char __heap_base;
static char *ph_heap;
static ph_text ph_last_error;

static inline void *ph_reserve(char *end) {
  ph_u32 have = __builtin_wasm_memory_size(0), need = ((ph_u32)end + 65535) >> 16;
  if (need > have && __builtin_wasm_memory_grow(0, need - have) == (ph_u32)-1) return 0;
  return end;
}
/* ph_new gives size bytes of zero at a multiple of 8, or traps. */
static inline void *ph_new(ph_u32 size) {
  if (!ph_heap) ph_heap = &__heap_base;
  char *p = (char *)(((ph_u32)ph_heap + 7) & ~7u);
  if (p + size < p || !ph_reserve(p + size)) __builtin_trap();
  ph_heap = p + size;
  for (ph_u32 i = 0; i < size; i++) p[i] = 0;
  return p;
}
static inline int ph_fail_text(ph_text why) { ph_last_error = why; return PH_ERROR; }
#define ph_fail(s) ph_fail_text(PH_TEXT(s))

/* A buffer that grows, to write the plan. */
typedef struct { char *at; ph_u32 len, cap; } ph_buf;
static inline void ph_put(ph_buf *b, ph_text t) {
  if (b->len + t.len > b->cap) {
    ph_u32 cap = (b->len + t.len) * 2 + 64;
    char *at = ph_new(cap);
    for (ph_u32 i = 0; i < b->len; i++) at[i] = b->at[i];
    b->at = at, b->cap = cap;
  }
  for (ph_u32 i = 0; i < t.len; i++) b->at[b->len++] = t.at[i];
}
#define ph_puts(b, s) ph_put(b, PH_TEXT(s))
static inline void ph_put_quoted(ph_buf *b, ph_text t) {
  ph_puts(b, "\"");
  for (ph_u32 i = 0; i < t.len; i++) {
    ph_u8 c = (ph_u8)t.at[i];
    if (c == '"' || c == '\\') ph_puts(b, "\\");
    if (c < 0x20) {
      char u[] = {'\\', 'u', '0', '0', '0' + (c >> 4), "0123456789abcdef"[c & 15]};
      ph_put(b, (ph_text){u, 6});
    } else {
      ph_put(b, (ph_text){t.at + i, 1});
    }
  }
  ph_puts(b, "\"");
}
static inline ph_text ph_done(const ph_buf *b) { return (ph_text){b->at, b->len}; }

/* JSON, as the host writes it: valid and without unknown keys where the
 * manifest's schema allows none. A value is a text; an absent one has length 0. */
static inline const char *ph_js_space(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) p++;
  return p;
}
static inline const char *ph_js_skip(const char *p, const char *end) {
  ph_u32 depth = 0;
  do {
    if (*p == '"') {
      for (p++; p < end && *p != '"'; p++)
        if (*p == '\\') p++;
      p++;
    } else if (*p == '{' || *p == '[') {
      depth++, p++;
    } else if (*p == '}' || *p == ']') {
      depth--, p++;
    } else if (depth == 0) {
      while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\n') p++;
    } else {
      p++;
    }
  } while (depth > 0 && p < end);
  return p;
}
/* ph_next gives the next element of an array, or the next key and value of an
 * object: start with *at = 0, stop at 0. */
static inline int ph_next(ph_text container, ph_u32 *at, ph_text *key, ph_text *value) {
  const char *end = container.at + container.len, *p = container.at + (*at ? *at : 1);
  if (container.len < 2) return 0;
  p = ph_js_space(p, end);
  if (p < end && *p == ',') p = ph_js_space(p + 1, end);
  if (p >= end || *p == '}' || *p == ']') return 0;
  if (container.at[0] == '{') {
    const char *k = p;
    p = ph_js_skip(p, end);
    if (key) *key = (ph_text){k, (ph_u32)(p - k)};
    p = ph_js_space(p, end) + 1;
    p = ph_js_space(p, end);
  }
  const char *v = p;
  p = ph_js_skip(p, end);
  *value = (ph_text){v, (ph_u32)(p - v)};
  *at = (ph_u32)(p - container.at);
  return 1;
}
static inline ph_u32 ph_hex4(const char *p) {
  ph_u32 n = 0;
  for (int i = 0; i < 4; i++) n = n << 4 | (ph_u32)(p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
  return n;
}
/* ph_string gives the content of a JSON string, unescaped. */
static inline ph_text ph_string(ph_text v) {
  if (v.len < 2 || v.at[0] != '"') return (ph_text){0, 0};
  char *out = ph_new(v.len);
  ph_u32 n = 0;
  for (ph_u32 i = 1; i < v.len - 1; i++) {
    char c = v.at[i];
    if (c != '\\') { out[n++] = c; continue; }
    switch (c = v.at[++i]) {
    case 'n': out[n++] = '\n'; break;
    case 't': out[n++] = '\t'; break;
    case 'r': out[n++] = '\r'; break;
    case 'b': out[n++] = '\b'; break;
    case 'f': out[n++] = '\f'; break;
    case 'u': {
      ph_u32 r = ph_hex4(v.at + i + 1);
      i += 4;
      if (r >= 0xD800 && r < 0xDC00 && i + 6 < v.len && v.at[i + 1] == '\\' && v.at[i + 2] == 'u') {
        r = 0x10000 + ((r - 0xD800) << 10) + (ph_hex4(v.at + i + 3) - 0xDC00);
        i += 6;
      }
      if (r < 0x80) {
        out[n++] = (char)r;
      } else {
        if (r < 0x800) {
          out[n++] = (char)(0xC0 | r >> 6);
        } else {
          if (r < 0x10000) {
            out[n++] = (char)(0xE0 | r >> 12);
          } else {
            out[n++] = (char)(0xF0 | r >> 18);
            out[n++] = (char)(0x80 | (r >> 12 & 63));
          }
          out[n++] = (char)(0x80 | (r >> 6 & 63));
        }
        out[n++] = (char)(0x80 | (r & 63));
      }
      break;
    }
    default: out[n++] = c;
    }
  }
  return (ph_text){out, n};
}
/* ph_get gives the value of a key of an object. */
static inline ph_text ph_get(ph_text object, ph_text key) {
  ph_text k, v;
  for (ph_u32 at = 0; ph_next(object, &at, &k, &v);)
    if (ph_equal(ph_string(k), key)) return v;
  return (ph_text){0, 0};
}
static inline ph_u32 ph_u32_of(ph_text v) {
  ph_u32 n = 0;
  for (ph_u32 i = 0; i < v.len; i++) n = n * 10 + (ph_u32)(v.at[i] - '0');
  return n;
}
/* ph_file gives the content of a data file, empty if there is none. */
static inline ph_text ph_file(ph_text data, ph_text name) {
  ph_text entry = ph_get(data, name);
  return (ph_text){(const char *)ph_u32_of(ph_get(entry, PH_TEXT("ptr"))), ph_u32_of(ph_get(entry, PH_TEXT("len")))};
}

/* The exports. */
static int ph_configure(ph_text config, ph_text data);
static ph_text ph_plan(void);
static int ph_process(const ph_batch *b);
extern const char ph_manifest[];

#define PH_EXPORT(name) __attribute__((export_name(name), visibility("default")))
static inline ph_u64 ph_pack(ph_text t) { return (ph_u64)(ph_u32)t.at << 32 | t.len; }

PH_EXPORT("pharos_abi") ph_u32 ph_export_abi(void) { return 1; }
PH_EXPORT("pharos_manifest") ph_u64 ph_export_manifest(void) {
  ph_u32 n = 0;
  while (ph_manifest[n]) n++;
  return ph_pack((ph_text){ph_manifest, n});
}
static int ph_configured;
PH_EXPORT("pharos_alloc") void *ph_export_alloc(ph_u32 size, ph_u32 align) {
  (void)align; /* the host asks for 8 */
  if (!ph_heap) ph_heap = &__heap_base;
  if (!ph_configured) return ph_reserve(ph_heap + 8 + size) ? ph_new(size) : 0;
  char *arena = (char *)(((ph_u32)ph_heap + 7) & ~7u); /* the same each time: there is one arena */
  return arena + size < arena || !ph_reserve(arena + size) ? 0 : arena;
}
PH_EXPORT("pharos_configure") ph_u32 ph_export_configure(const char *at, ph_u32 len) {
  ph_text all = {at, len};
  int err = ph_configure(ph_get(all, PH_TEXT("config")), ph_get(all, PH_TEXT("data")));
  ph_configured = err == 0;
  return (ph_u32)err;
}
PH_EXPORT("pharos_plan") ph_u64 ph_export_plan(void) { return ph_pack(ph_plan()); }
PH_EXPORT("pharos_process") ph_u32 ph_export_process(const ph_batch *b) { return (ph_u32)ph_process(b); }
PH_EXPORT("pharos_error") ph_u64 ph_export_error(void) { return ph_pack(ph_last_error); }

/* What the compiler may call; with bulk memory each is one instruction. */
void *memcpy(void *to, const void *from, unsigned long n) { return __builtin_memcpy(to, from, n); }
void *memset(void *to, int c, unsigned long n) { return __builtin_memset(to, c, n); }
#endif
