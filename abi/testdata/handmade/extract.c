// An extractor written from abi/SPEC.md alone: sales and refunds, a category looked up in a data file, and a label made
// of the category and a config value. One file, no libc, nothing of the SDK.
//
// Config: {"currency": "EUR"}, required. Data file `categories`: a line "prefix=category" each; the first line whose
// prefix the sku has decides.

typedef unsigned char u8;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define TEXT(s) ((u64)(u32)(s) << 32 | (sizeof(s) - 1))

static const char manifest[] =
    "{\"kind\": \"extract\", \"name\": \"handmade-extract\", \"version\": \"1.0.0\","
    " \"description\": \"Sales and refunds by category.\","
    " \"config\": {\"type\": \"object\", \"properties\": {\"currency\": {\"type\": \"string\"}, \"ignored\": {}},"
    " \"required\": [\"currency\"], \"additionalProperties\": false}}";
static const char plan[] =
    "{\"fields\": [{\"name\": \"price\", \"type\": \"f64\"}, {\"name\": \"qty\", \"type\": \"i64\"},"
    " {\"name\": \"sku\", \"type\": \"str\"}],"
    " \"points\": [{\"name\": \"refund\"}, {\"name\": \"sale\", \"attributes\": [\"sku\", \"category\", \"label\"]}],"
    " \"counters\": [\"sales\", \"uncategorised\"]}";
enum { REFUND, SALE };

extern u8 __heap_base;
static u32 top;    // the first free byte
static int owned;  // the first block is handed out and stays ours

EXPORT(pharos_abi) u32 pharos_abi(void) { return 1; }
EXPORT(pharos_manifest) u64 pharos_manifest(void) { return TEXT(manifest); }
EXPORT(pharos_plan) u64 pharos_plan(void) { return TEXT(plan); }

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

typedef struct {
  const u8 *at;
  u32 len;
} text;

static text currency, categories, failure;

EXPORT(pharos_error) u64 pharos_error(void) { return (u64)(u32)failure.at << 32 | failure.len; }

#define FAIL(s) (failure = (text){(const u8 *)(s), sizeof(s) - 1}, 1)

static int is(text t, const char *s) {
  u32 i = 0;
  for (; i < t.len && s[i]; i++)
    if (t.at[i] != (u8)s[i]) return 0;
  return i == t.len && !s[i];
}

// The config is JSON that the host has checked, so the reader walks it and looks for no errors. It decodes strings
// where they stand: they only get shorter, and the block is ours.
static u8 *p;

static void space(void) {
  while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') p++;
}

static u32 hex4(void) {
  u32 v = 0;
  for (int i = 0; i < 4; i++, p++) v = v << 4 | (*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
  return v;
}

static text string(void) {
  p++;
  u8 *begin = p, *to = p;
  while (*p != '"') {
    if (*p != '\\') {
      *to++ = *p++;
      continue;
    }
    u8 c = p[1];
    p += 2;
    if (c != 'u') {
      *to++ = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
      continue;
    }
    u32 v = hex4();
    if (v >> 10 == 0x36 && p[0] == '\\' && p[1] == 'u') {  // the first half of a surrogate pair
      u8 *second = p;
      p += 2;
      u32 low = hex4();
      if (low >> 10 == 0x37) {
        v = 0x10000 + ((v & 0x3ff) << 10 | (low & 0x3ff));
      } else {
        p = second;
      }
    }
    if (v >> 11 == 0x1b) v = 0xfffd;  // half a pair
    if (v < 0x80) {
      *to++ = (u8)v;
    } else if (v < 0x800) {
      *to++ = (u8)(0xc0 | v >> 6);
      *to++ = (u8)(0x80 | (v & 63));
    } else if (v < 0x10000) {
      *to++ = (u8)(0xe0 | v >> 12);
      *to++ = (u8)(0x80 | (v >> 6 & 63));
      *to++ = (u8)(0x80 | (v & 63));
    } else {
      *to++ = (u8)(0xf0 | v >> 18);
      *to++ = (u8)(0x80 | (v >> 12 & 63));
      *to++ = (u8)(0x80 | (v >> 6 & 63));
      *to++ = (u8)(0x80 | (v & 63));
    }
  }
  p++;
  return (text){begin, (u32)(to - begin)};
}

// skip passes over any value, without recursion: a value ends where no bracket is open.
static void skip(void) {
  u32 open = 0;
  do {
    space();
    if (*p == '"') {
      string();
    } else if (*p == '{' || *p == '[') {
      open++;
      p++;
    } else if (*p == '}' || *p == ']') {
      open--;
      p++;
    } else if (*p == ',' || *p == ':') {
      p++;
    } else {
      while (*p != ',' && *p != '}' && *p != ']' && *p > ' ') p++;
    }
  } while (open);
}

static u32 number(void) {
  u32 v = 0;
  while (*p >= '0' && *p <= '9') v = v * 10 + (*p++ - '0');
  return v;
}

// member stands behind the brace or a value and gives the next key of an object; 0 at its end.
static int member(text *key) {
  space();
  if (*p == ',') p++;
  space();
  if (*p == '}') {
    p++;
    return 0;
  }
  *key = string();
  space();
  p++;  // the colon
  space();
  return 1;
}

EXPORT(pharos_configure) u32 pharos_configure(u8 *ptr, u32 len) {
  text key, name;
  p = ptr;
  space();
  p++;
  while (member(&key)) {
    if (is(key, "config")) {
      p++;
      while (member(&name)) {
        if (is(name, "currency")) {
          currency = string();
        } else {
          skip();
        }
      }
    } else {
      p++;
      while (member(&name)) {
        text file = {0, 0};
        p++;
        while (member(&key)) {
          if (is(key, "ptr")) {
            file.at = (const u8 *)number();
          } else {
            file.len = number();
          }
        }
        if (!is(name, "categories")) return FAIL("no data file but categories is known");
        categories = file;
      }
    }
  }
  if (!categories.at) return FAIL("the data file categories is missing");
  if (currency.len == 0) return FAIL("currency is empty");
  return 0;
}

static text category(text sku) {
  u32 i = 0;
  while (i < categories.len) {
    u32 begin = i, equals = categories.len;
    for (; i < categories.len && categories.at[i] != '\n'; i++)
      if (categories.at[i] == '=' && equals > i) equals = i;
    u32 end = i++;
    if (equals > end || equals - begin > sku.len) continue;
    u32 n = equals - begin, k = 0;
    while (k < n && categories.at[begin + k] == sku.at[k]) k++;
    if (k == n) return (text){categories.at + equals + 1, end - equals - 1};
  }
  return (text){0, 0};
}

typedef struct {
  u32 row, point, attributes, zero;
  double value;
} measurement;

static int bit(const u8 *bits, u32 i) { return bits[i >> 3] >> (i & 7) & 1; }

static struct {
  u8 *at;
  u32 cap, len;
} out;

// put copies a text to the text output and gives its position in it; what does not fit is only counted.
static u32 put(text t) {
  u32 at = out.len;
  for (u32 i = 0; i < t.len; i++, out.len++)
    if (out.len < out.cap) out.at[out.len] = t.at[i];
  return at;
}

EXPORT(pharos_process) u32 pharos_process(u8 *batch) {
  u32 *head = (u32 *)batch;
  const u32 rows = head[2], width = head[17];
  const u32 *price = (const u32 *)(batch + head[4]), *qty = price + 8, *sku = price + 16;
  const u8 *has_price = batch + price[2], *has_qty = batch + qty[2], *has_sku = batch + sku[2];
  const double *prices = (const double *)(batch + price[3]);
  const i64 *qtys = (const i64 *)(batch + qty[3]);
  const u32 *offsets = (const u32 *)(batch + sku[5]);
  u64 *counters = (u64 *)(batch + head[6]);
  measurement *m = (measurement *)(batch + head[14]);
  const u32 m_cap = head[15], tuples_cap = head[19];
  u32 (*tuples)[2] = (u32(*)[2])(batch + head[18]);
  u32 ms = 0, ts = 0;
  out.at = batch + head[21];
  out.cap = head[22];
  out.len = 0;

  for (u32 i = 0; i < rows; i++) {
    if (!bit(has_price, i)) continue;
    i64 n = bit(has_qty, i) ? qtys[i] : 1;
    double value = prices[i] * (double)n;
    u32 point = value < 0 ? REFUND : SALE, attributes = 0;
    if (point == SALE) {
      counters[0]++;
      if (bit(has_sku, i)) {
        text s = {batch + sku[6] + offsets[i], offsets[i + 1] - offsets[i]};
        text c = category(s);
        if (!c.len) counters[1]++;
        u32 label = put(c), n_label;
        put((text){(const u8 *)"/", 1});
        put(currency);
        n_label = out.len - label;
        if (ts < tuples_cap) {
          u32 (*t)[2] = tuples + (u64)ts * width;
          t[0][0] = sku[6] + offsets[i];  // in the column's bytes
          t[0][1] = s.len;
          t[1][0] = head[21] + label;  // the label begins with the category
          t[1][1] = c.len;
          t[2][0] = head[21] + label;
          t[2][1] = n_label;
        }
        attributes = ++ts;
      }
    }
    if (ms < m_cap) m[ms] = (measurement){i, point, attributes, 0, value};
    ms++;
  }
  head[16] = ms;
  head[20] = ts;
  head[23] = out.len;
  return ms > m_cap || ts > tuples_cap || out.len > out.cap;
}
