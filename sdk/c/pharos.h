/* pharos.h: writes Pharos plugins (ABI version 1, abi/SPEC.md) in C without libc.
 *
 * Include it in one source file, define the four names below, and build with
 *   clang --target=wasm32 -O2 -nostdlib -mbulk-memory -Wl,--no-entry -Wl,--stack-first -o NAME.wasm NAME.c
 *
 *   const char ph_manifest[] = "{...}";                 the manifest, JSON
 *   static int  ph_configure(ph_text config, ph_text data);
 *                                                       0, or ph_fail("..."); config and data are JSON objects
 *   static ph_text ph_plan(void);                       the plan, JSON, made in ph_configure or constant
 *   static int  ph_process(const ph_batch *b);          0, ph_measured(b), or ph_fail("...")
 *
 * An extractor that measures sessions when they end defines PH_CLOSE before it
 * includes this, and
 *   static int  ph_close(const ph_batch *b);            as ph_process; rows are sessions that have ended
 *
 * Memory from ph_new lives as long as the instance; it may be taken in
 * ph_configure and ph_plan only. Pointers into the config, the data files and a
 * batch need no copy: the first two stay, a batch lasts for its call.
 *
 * The same source is a native program too, to be asked what it answers: see native.c. */
#ifndef PHAROS_H
#define PHAROS_H

#if defined __wasm__ && !defined __wasm_bulk_memory__
#error "build with clang --target=wasm32 -mbulk-memory: memcpy and memset are instructions then"
#endif

typedef unsigned char ph_u8;
typedef unsigned short ph_u16;
typedef unsigned int ph_u32;
typedef unsigned long long ph_u64;
typedef long long ph_i64;

/* Some bytes; no NUL at the end. */
typedef struct { const char *at; ph_u32 len; } ph_text;
typedef struct ph_header ph_batch;

enum { PH_OK = 0, PH_TOO_SMALL = 1, PH_ERROR = 2 };
enum { PH_NO_ROUTE = 0xFFFF };
enum { PH_STR = 1, PH_I64 = 2, PH_F64 = 3, PH_BOOL = 4, PH_JSON = 5, PH_ANY = 6, PH_KIND = 7 };
/* Kinds of values in an any or kind column. */
enum { PH_MISSING, PH_NULL, PH_FALSE, PH_TRUE, PH_NUMBER, PH_STRING, PH_UNTYPED, PH_ARRAY, PH_OBJECT };

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

/* Columns. ph_col gives the column of field i of the plan; the others are for
 * columns of their type. Rows that are not valid have 0, false and no text. */
static inline const char *ph_at(const ph_batch *b, ph_u32 position) { return (const char *)b + position; }
static inline int ph_bit(const void *bitmap, ph_u32 i) { return ((const ph_u8 *)bitmap)[i >> 3] >> (i & 7) & 1; }
static inline const ph_column *ph_col(const ph_batch *b, ph_u32 i) {
  return (const ph_column *)ph_at(b, b->columns_at) + i;
}
static inline int ph_valid(const ph_batch *b, const ph_column *c, ph_u32 row) { return ph_bit(ph_at(b, c->valid_at), row); }
static inline int ph_bool(const ph_batch *b, const ph_column *c, ph_u32 row) { return ph_bit(ph_at(b, c->data_at), row); }
/* What ph_bool and ph_entry look up, for loops that are to be quick: a bitmap for
 * ph_bit, and texts for ph_nth. */
typedef struct { const ph_u32 *offsets; const char *bytes; } ph_texts;
static inline const void *ph_bools(const ph_batch *b, const ph_column *c) { return ph_at(b, c->data_at); }
static inline ph_texts ph_entries(const ph_batch *b, const ph_column *c) {
  return (ph_texts){(const ph_u32 *)ph_at(b, c->offsets_at), ph_at(b, c->bytes_at)};
}
static inline ph_text ph_nth(ph_texts t, ph_u32 i) {
  ph_u64 two; /* one check of bounds instead of two */
  __builtin_memcpy(&two, t.offsets + i, 8);
  return (ph_text){t.bytes + (ph_u32)two, (ph_u32)(two >> 32) - (ph_u32)two};
}
/* Text i of a str, json or any column: of row i, or of entry i of a dictionary. */
static inline ph_text ph_entry(const ph_batch *b, const ph_column *c, ph_u32 i) { return ph_nth(ph_entries(b, c), i); }
static inline const ph_u32 *ph_codes(const ph_batch *b, const ph_column *c) { return (const ph_u32 *)ph_at(b, c->data_at); }
static inline const double *ph_f64s(const ph_batch *b, const ph_column *c) { return (const double *)ph_at(b, c->data_at); }
static inline const ph_i64 *ph_i64s(const ph_batch *b, const ph_column *c) { return (const ph_i64 *)ph_at(b, c->data_at); }
static inline const ph_u8 *ph_kinds(const ph_batch *b, const ph_column *c) { return (const ph_u8 *)ph_at(b, c->data_at); }

/* Session state: the value of a cell of the plan in the session of a row, to read and
 * write. It is 0 at the session's start and stays from beacon to beacon; what beacons
 * before in the same batch wrote is there. */
static inline void *ph_cell(const ph_batch *b, ph_u32 cell, ph_u32 row) {
  ph_u32 at = ((const ph_u32 *)ph_at(b, b->cells_at))[2 * cell + 1];
  return (char *)ph_at(b, at) + 8 * ((const ph_u32 *)ph_at(b, b->slots_at))[row];
}
static inline ph_i64 *ph_cell_i64(const ph_batch *b, ph_u32 cell, ph_u32 row) { return (ph_i64 *)ph_cell(b, cell, row); }
static inline double *ph_cell_f64(const ph_batch *b, ph_u32 cell, ph_u32 row) { return (double *)ph_cell(b, cell, row); }
/* Of a session that has ended, in ph_close: the time of its first and last beacon in
 * ms, and how many measurements of a point it has. Columns of the plan are not there. */
static inline ph_i64 ph_first(const ph_batch *b, ph_u32 row) { return ph_i64s(b, ph_col(b, 0))[row]; }
static inline ph_i64 ph_last(const ph_batch *b, ph_u32 row) { return ph_i64s(b, ph_col(b, 1))[row]; }
static inline ph_i64 ph_counted(const ph_batch *b, ph_u32 row, ph_u32 point) { return ph_i64s(b, ph_col(b, 2 + point))[row]; }

/* Outputs. keep and reasons are written as words of other types than the header's, so
 * that a compiler need not read the header anew after each. */
static inline void ph_keep(const ph_batch *b, ph_u32 row) { ((ph_u16 *)ph_at(b, b->keep_at))[row >> 4] |= 1 << (row & 15); }
static inline void ph_drop(const ph_batch *b, ph_u32 row, ph_u8 reason) {
  ph_u16 *two = (ph_u16 *)ph_at(b, b->reasons_at) + (row >> 1);
  *two = (ph_u16)((*two & (0xFF00 >> (row & 1) * 8)) | reason << (row & 1) * 8);
}
static inline void ph_route(const ph_batch *b, ph_u32 row, ph_u16 route) { ((ph_u16 *)ph_at(b, b->routes_at))[row] = route; }
static inline void ph_count(const ph_batch *b, ph_u32 counter, ph_u64 n) { ((ph_u64 *)ph_at(b, b->counters_at))[counter] += n; }

/* ph_measure adds a measurement, and counts on where there is no room: return
 * ph_measured(b) at the end, which tells the host. attributes is 0 or what
 * ph_tuple gave. */
static inline void ph_measure(const ph_batch *b, ph_u32 row, ph_u32 point, double value, ph_u32 attributes) {
  struct ph_header *h = (struct ph_header *)b;
  if (h->measurements < h->measurements_cap)
    ((ph_measurement *)ph_at(b, b->measurements_at))[h->measurements] = (ph_measurement){row, point, attributes, 0, value};
  h->measurements++;
}
/* ph_tuple adds a tuple without values and returns 1 + its index; ph_set gives
 * it the value of an attribute: a text of a column, or one from ph_copy. */
static inline ph_u32 ph_tuple(const ph_batch *b) {
  struct ph_header *h = (struct ph_header *)b;
  if (h->tuples < h->tuples_cap) {
    ph_u32 *t = (ph_u32 *)ph_at(b, b->tuples_at) + h->tuples * h->tuple_width * 2;
    for (ph_u32 i = 0; i < h->tuple_width * 2; i++) t[i] = 0;
  }
  return ++h->tuples;
}
static inline void ph_set(const ph_batch *b, ph_u32 tuple, ph_u32 attribute, ph_text value) {
  if (tuple - 1 >= b->tuples_cap || !value.len) return;
  ph_u32 *t = (ph_u32 *)ph_at(b, b->tuples_at) + ((tuple - 1) * b->tuple_width + attribute) * 2;
  t[0] = (ph_u32)(value.at - (const char *)b);
  t[1] = value.len;
}
/* ph_copy puts a text of the plugin's own into the batch, for ph_set. Where there
 * is no room it is empty. */
static inline ph_text ph_copy(const ph_batch *b, ph_text text) {
  struct ph_header *h = (struct ph_header *)b;
  ph_u32 at = h->text;
  char *to = (char *)ph_at(b, b->text_at) + at;
  h->text = at + text.len < at ? ~0u : at + text.len;
  if (h->text > h->text_cap) return (ph_text){0, 0};
  __builtin_memcpy(to, text.at, text.len);
  return (ph_text){to, text.len};
}
static inline int ph_measured(const ph_batch *b) {
  return b->measurements > b->measurements_cap || b->tuples > b->tuples_cap || b->text > b->text_cap ? PH_TOO_SMALL : PH_OK;
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
static inline int ph_has_prefix(ph_text s, ph_text prefix) {
  return s.len >= prefix.len && ph_equal((ph_text){s.at, prefix.len}, prefix);
}
static inline char ph_lower(char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }

/* Memory: a heap that only grows; behind it, from the first batch on, the arena. */
typedef unsigned long ph_address;
static ph_address ph_top;   /* end of the heap; 0: at __heap_base */
static ph_address ph_arena; /* 0: none yet */
static ph_text ph_last_error;

/* ph_room gives the address of size bytes behind the heap, 0 if there are none. */
#ifdef __wasm__
extern char __heap_base;
static inline ph_address ph_room(ph_u32 size) {
  ph_u64 at = ((ph_u64)(ph_top ? ph_top : (ph_address)&__heap_base) + 7) & ~7ull, end = at + size;
  ph_u64 have = (ph_u64)__builtin_wasm_memory_size(0) << 16;
  if (end > have && __builtin_wasm_memory_grow(0, (ph_u32)((end - have + 65535) >> 16)) == (ph_u32)-1) return 0;
  return (ph_address)at;
}
#else
ph_address ph_room(ph_u32 size); /* of native.c */
#endif
/* ph_try_new gives size bytes of zero (as all fresh memory is) at a multiple of 8,
 * or 0 if there are no more. ph_new traps then. */
static inline void *ph_try_new(ph_u32 size) {
  if (ph_arena) __builtin_trap(); /* a batch lies behind the heap */
  ph_address at = ph_room(size);
  if (at) ph_top = at + size;
  return (void *)at;
}
static inline void *ph_new(ph_u32 size) {
  void *p = ph_try_new(size);
  if (!p) __builtin_trap();
  return p;
}
static inline int ph_fail_text(ph_text why) { ph_last_error = why; return PH_ERROR; }
#define ph_fail(s) ph_fail_text(PH_TEXT(s))

/* A buffer that grows, to write the plan. Start with {0}. */
typedef struct { char *at; ph_u32 len, cap; } ph_buf;
static inline void ph_put(ph_buf *b, ph_text t) {
  if (t.len > b->cap - b->len) {
    ph_u32 cap = (b->len + t.len) * 2 + 64;
    char *at = ph_new(cap);
    for (ph_u32 i = 0; i < b->len; i++) at[i] = b->at[i];
    b->at = at, b->cap = cap;
  }
  for (ph_u32 i = 0; i < t.len; i++) b->at[b->len++] = t.at[i];
}
#define ph_puts(b, s) ph_put(b, PH_TEXT(s))
/* ph_put_quoted writes a text, which is UTF-8, as a JSON string. */
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

/* JSON, for the config: it is valid, and what the manifest's schema wants. A value
 * is its text as written; an absent one has length 0. */
static inline int ph_js_is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
static inline const char *ph_js_space(const char *p, const char *end) {
  while (p < end && ph_js_is_space(*p)) p++;
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
      while (p < end && *p != ',' && *p != '}' && *p != ']' && !ph_js_is_space(*p)) p++;
    } else {
      p++;
    }
  } while (depth > 0 && p < end);
  return p;
}
/* ph_next gives the next element of an array, or the next key (a JSON string) and
 * value of an object: start with *at = 0, stop at 0. key may be 0. */
static inline int ph_next(ph_text container, ph_u32 *at, ph_text *key, ph_text *value) {
  if (container.len < 2 || (container.at[0] != '{' && container.at[0] != '[')) return 0;
  const char *end = container.at + container.len, *p = container.at + (*at ? *at : 1);
  p = ph_js_space(p, end);
  if (p < end && *p == ',') p = ph_js_space(p + 1, end);
  if (p >= end || *p == '}' || *p == ']') return 0;
  if (container.at[0] == '{') {
    const char *k = p;
    p = ph_js_skip(p, end);
    if (key) *key = (ph_text){k, (ph_u32)(p - k)};
    p = ph_js_space(p, end) + 1; /* the colon */
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
static inline ph_u32 ph_put_rune(char *to, ph_u32 r) {
  if (r < 0x80) return to[0] = (char)r, 1;
  if (r < 0x800) return to[0] = (char)(0xC0 | r >> 6), to[1] = (char)(0x80 | (r & 63)), 2;
  if (r < 0x10000) return to[0] = (char)(0xE0 | r >> 12), to[1] = (char)(0x80 | (r >> 6 & 63)), to[2] = (char)(0x80 | (r & 63)), 3;
  to[0] = (char)(0xF0 | r >> 18), to[1] = (char)(0x80 | (r >> 12 & 63)), to[2] = (char)(0x80 | (r >> 6 & 63)), to[3] = (char)(0x80 | (r & 63));
  return 4;
}
/* ph_unquote gives the content of a JSON string: where it stands if it has no
 * escapes, else in out, which has room for v.len bytes. Of what is no string it is
 * {0, 0}. It is for json columns, of which there is no memory to be had. */
static inline int ph_escaped(ph_text v) {
  for (ph_u32 i = 1; i + 1 < v.len; i++)
    if (v.at[i] == '\\') return 1;
  return 0;
}
static inline ph_text ph_unquote(ph_text v, char *out) {
  if (v.len < 2 || v.at[0] != '"') return (ph_text){0, 0};
  ph_u32 n = 0, end = v.len - 1, i;
  if (!ph_escaped(v)) return (ph_text){v.at + 1, end - 1};
  for (i = 1; i < end; i++) {
    char c = v.at[i];
    if (c != '\\') { out[n++] = c; continue; }
    switch (c = v.at[++i]) {
    case 'n': out[n++] = '\n'; break;
    case 't': out[n++] = '\t'; break;
    case 'r': out[n++] = '\r'; break;
    case 'b': out[n++] = '\b'; break;
    case 'f': out[n++] = '\f'; break;
    case 'u': {
      ph_u32 r = ph_hex4(v.at + i + 1), low = 0;
      i += 4;
      if (r >> 10 == 0x36 && i + 6 < end && v.at[i + 1] == '\\' && v.at[i + 2] == 'u') low = ph_hex4(v.at + i + 3);
      if (low >> 10 == 0x37) r = 0x10000 + ((r & 0x3FF) << 10 | (low & 0x3FF)), i += 6;
      if (r >> 11 == 0x1B) r = 0xFFFD; /* half of a pair */
      n += ph_put_rune(out + n, r);
      break;
    }
    default: out[n++] = c;
    }
  }
  return (ph_text){out, n};
}
/* ph_string is ph_unquote with memory of its own, before the first batch. */
static inline ph_text ph_string(ph_text v) {
  return ph_unquote(v, v.len > 1 && v.at[0] == '"' && ph_escaped(v) ? ph_new(v.len) : 0);
}
/* ph_get gives the value of a key of an object; of a repeated key the last. What is
 * no object has none. */
static inline ph_text ph_get(ph_text object, ph_text key) {
  ph_text k, v, got = {0, 0};
  if (!object.len || object.at[0] != '{') return got;
  for (ph_u32 at = 0; ph_next(object, &at, &k, &v);)
    if (ph_equal(ph_string(k), key)) got = v;
  return got;
}
/* ph_number gives a JSON number; 0 of what is none. It is exact up to 15 digits and
 * exponents of 22; beyond, the last bits may differ from the nearest double. */
static inline double ph_number(ph_text v) {
  if (!v.len) return 0;
  const char *p = v.at, *end = v.at + v.len;
  int minus = p < end && *p == '-', scale = 0, point = 0, more = 0, down = 0;
  ph_u64 digits = 0;
  for (p += minus; p < end && ((*p >= '0' && *p <= '9') || *p == '.'); p++) {
    if (*p == '.') { point = 1; continue; }
    int room = digits < 1000000000000000000ull; /* the next digit fits too */
    if (room) digits = digits * 10 + (ph_u64)(*p - '0');
    scale += !room - point;
  }
  if (p < end && (*p | 32) == 'e') {
    if (++p < end && (*p == '-' || *p == '+')) down = *p++ == '-';
    for (; p < end && *p >= '0' && *p <= '9'; p++)
      if (more < 100000) more = more * 10 + (*p - '0');
  }
  scale += down ? -more : more;
  double n = (double)digits, ten = 1;
  int far = scale < 0 ? -scale : scale;
  if (n == 0) far = 0;
  if (far > 800) far = 800;
  for (; far > 22; far -= 22) n = scale < 0 ? n / 1e22 : n * 1e22;
  for (; far > 0; far--) ten *= 10;
  n = scale < 0 ? n / ten : n * ten;
  return minus ? -n : n;
}
/* ph_file gives the content of a data file; at is 0 if there is none. */
static inline ph_text ph_file(ph_text data, ph_text name) {
  ph_text entry = ph_get(data, name);
  return (ph_text){(const char *)(ph_address)ph_number(ph_get(entry, PH_TEXT("ptr"))), (ph_u32)ph_number(ph_get(entry, PH_TEXT("len")))};
}

/* The exports. */
static int ph_configure(ph_text config, ph_text data);
static ph_text ph_plan(void);
static int ph_process(const ph_batch *b);
extern const char ph_manifest[];

#ifdef __wasm__
#define PH_EXPORT(name) __attribute__((export_name(name), visibility("default")))
typedef ph_u64 ph_packed;
static inline ph_packed ph_pack(ph_text t) { return (ph_u64)(ph_u32)t.at << 32 | t.len; }
#else
#define PH_EXPORT(name)
typedef ph_text ph_packed;
static inline ph_packed ph_pack(ph_text t) { return t; }
#endif

PH_EXPORT("pharos_abi") ph_u32 ph_export_abi(void) { return 1; }
PH_EXPORT("pharos_manifest") ph_packed ph_export_manifest(void) {
  ph_u32 n = 0;
  while (ph_manifest[n]) n++;
  return ph_pack((ph_text){ph_manifest, n});
}
static int ph_configured;
PH_EXPORT("pharos_alloc") void *ph_export_alloc(ph_u32 size, ph_u32 align) {
  (void)align; /* it is 8 */
  if (!ph_configured) return ph_try_new(size);
  ph_address at = ph_room(size); /* the same each time: there is one arena */
  if (at) ph_arena = at;
  return (void *)at;
}
PH_EXPORT("pharos_configure") ph_u32 ph_export_configure(const char *at, ph_u32 len) {
  const char *begin = ph_js_space(at, at + len);
  ph_text all = {begin, (ph_u32)(at + len - begin)};
  int err = ph_configure(ph_get(all, PH_TEXT("config")), ph_get(all, PH_TEXT("data")));
  ph_configured = err == 0;
  return (ph_u32)err;
}
PH_EXPORT("pharos_plan") ph_packed ph_export_plan(void) { return ph_pack(ph_plan()); }
/* static 1: there is a header, so a compiler may read it before it must. */
PH_EXPORT("pharos_process") ph_u32 ph_export_process(const ph_batch b[static 1]) { return (ph_u32)ph_process(b); }
#ifdef PH_CLOSE
static int ph_close(const ph_batch *b);
PH_EXPORT("pharos_close") ph_u32 ph_export_close(const ph_batch *b) { return (ph_u32)ph_close(b); }
#endif
PH_EXPORT("pharos_error") ph_packed ph_export_error(void) { return ph_pack(ph_last_error); }

#ifdef __wasm__
/* What the compiler may call. */
__attribute__((weak)) void *memcpy(void *to, const void *from, unsigned long n) { return __builtin_memcpy(to, from, n); }
__attribute__((weak)) void *memmove(void *to, const void *from, unsigned long n) { return __builtin_memmove(to, from, n); }
__attribute__((weak)) void *memset(void *to, int c, unsigned long n) { return __builtin_memset(to, c, n); }
__attribute__((weak)) int memcmp(const void *a, const void *b, unsigned long n) {
  const volatile ph_u8 *x = a, *y = b; /* volatile, so that the loop is not made a call of memcmp */
  for (; n > 0; n--, x++, y++) {
    int d = *x, e = *y;
    if (d != e) return d - e;
  }
  return 0;
}
__attribute__((weak)) unsigned long strlen(const char *s) {
  const volatile char *end = s;
  while (*end) end++;
  return (unsigned long)((const char *)end - s);
}
#endif
#endif
