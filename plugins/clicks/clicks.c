/* clicks: an extractor whose points come from its config: a beacon whose field has
 * a point's value gives a measurement of it. */
#include "../../sdk/c/pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"extract\",\"name\":\"clicks\",\"version\":\"1.0.0\","
    "\"description\":\"Measures the points of its config: one for each that names the value of the beacon's field.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"points\"],\"properties\":{"
    "\"field\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the field that says what the beacon is; default type\"},"
    "\"points\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"point\",\"is\"],\"properties\":{"
    "\"point\":{\"type\":\"string\",\"minLength\":1},\"is\":{\"type\":\"string\"},"
    "\"value\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the field with the value; default 1\"},"
    "\"attributes\":{\"type\":\"object\",\"maxProperties\":16,\"additionalProperties\":{\"type\":\"string\",\"minLength\":1},\"description\":\"name of an attribute: its field\"}}}}}}}";

enum { POINTS = 64, ATTRIBUTES = 16, NO_COLUMN = 0xFFFF, CODES = 65536 };

typedef struct {
  ph_text is;
  ph_u16 index;  /* of the point in the plan: several entries may be of one point */
  ph_u16 value;  /* column, or NO_COLUMN for 1 */
  ph_u16 attributes, column[ATTRIBUTES];
} point;

static point points[POINTS];
static ph_u32 count;
static ph_text plan;

/* A column for each field and type that is asked for, each once. */
typedef struct { ph_text name; int number; } wanted;
static wanted columns[POINTS * (ATTRIBUTES + 1) + 1];
static ph_u32 wanted_count;

static ph_u16 column_of(ph_text name, int number) {
  for (ph_u32 i = 1; i < wanted_count; i++)
    if (columns[i].number == number && ph_equal(columns[i].name, name)) return (ph_u16)i;
  columns[wanted_count] = (wanted){name, number};
  return (ph_u16)wanted_count++;
}

/* same tells whether two objects have the same keys in the same order. */
static int same(ph_text a, ph_text b) {
  ph_text ka, kb, v;
  ph_u32 at = 0, bt = 0;
  for (;;) {
    int more = ph_next(a, &at, &ka, &v), other = ph_next(b, &bt, &kb, &v);
    if (more != other) return 0;
    if (!more) return 1;
    if (!ph_equal(ph_string(ka), ph_string(kb))) return 0;
  }
}

static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  ph_text all = ph_get(config, PH_TEXT("points")), v, field = ph_get(config, PH_TEXT("field"));
  ph_text names[POINTS], attributes[POINTS];
  ph_u32 distinct = 0;
  columns[0] = (wanted){field.len ? ph_string(field) : PH_TEXT("type"), 0};
  wanted_count = 1;
  for (ph_u32 at = 0; ph_next(all, &at, 0, &v); count++) {
    point *p = &points[count];
    ph_text name = ph_string(ph_get(v, PH_TEXT("point"))), value = ph_get(v, PH_TEXT("value")), own = ph_get(v, PH_TEXT("attributes")), key, path;
    p->is = ph_string(ph_get(v, PH_TEXT("is")));
    p->value = value.len ? column_of(ph_string(value), 1) : NO_COLUMN;
    p->attributes = 0;
    for (ph_u32 i = 0; ph_next(own, &i, &key, &path);) {
      if (p->attributes == ATTRIBUTES) return ph_fail("a point has more than 16 attributes");
      p->column[p->attributes++] = column_of(ph_string(path), 0);
    }
    for (p->index = 0; p->index < distinct && !ph_equal(names[p->index], name);) p->index++;
    if (p->index == distinct) names[distinct] = name, attributes[distinct++] = own;
    else if (!same(attributes[p->index], own)) return ph_fail("one point has different attributes in two entries: give both the same, in the same order");
  }
  ph_buf b = {0};
  ph_puts(&b, "{\"fields\":[");
  for (ph_u32 i = 0; i < wanted_count; i++) {
    if (i) ph_puts(&b, ",");
    ph_puts(&b, "{\"name\":");
    ph_put_quoted(&b, columns[i].name);
    if (i == 0) ph_puts(&b, ",\"type\":\"str\",\"dict\":true}");
    else if (columns[i].number) ph_puts(&b, ",\"type\":\"f64\"}");
    else ph_puts(&b, ",\"type\":\"str\"}");
  }
  ph_puts(&b, "],\"points\":[");
  for (ph_u32 i = 0; i < distinct; i++) {
    ph_text key, path;
    ph_u32 n = 0;
    if (i) ph_puts(&b, ",");
    ph_puts(&b, "{\"name\":");
    ph_put_quoted(&b, names[i]);
    for (ph_u32 at = 0; ph_next(attributes[i], &at, &key, &path); n++) {
      if (n) ph_puts(&b, ",");
      else ph_puts(&b, ",\"attributes\":[");
      ph_put_quoted(&b, ph_string(key));
    }
    if (n) ph_puts(&b, "]");
    ph_puts(&b, "}");
  }
  ph_puts(&b, "]}");
  plan = ph_done(&b);
  return PH_OK;
}

static ph_text ph_plan(void) { return plan; }

static ph_u64 matches[CODES]; /* by the field's code: a bit for each point that it names */

static int ph_process(const ph_batch *b) {
  const ph_column *field = ph_col(b, 0);
  if (field->entries > CODES) return ph_fail("more distinct values than rows");
  for (ph_u32 i = 0; i < field->entries; i++) {
    ph_text value = ph_entry(b, field, i);
    matches[i] = 0;
    for (ph_u32 p = 0; p < count; p++)
      if (ph_equal(points[p].is, value)) matches[i] |= 1ull << p;
  }
  const ph_u32 *codes = ph_codes(b, field);
  for (ph_u32 row = 0; row < b->rows; row++) {
    if (!ph_valid(b, field, row)) continue;
    for (ph_u64 m = matches[codes[row]]; m; m &= m - 1) {
      const point *p = &points[__builtin_ctzll(m)];
      double value = 1;
      if (p->value != NO_COLUMN) {
        const ph_column *c = ph_col(b, p->value);
        value = ph_valid(b, c, row) ? ph_f64s(b, c)[row] : PH_NAN;
      }
      ph_u32 tuple = 0;
      for (ph_u32 a = 0; a < p->attributes; a++) {
        ph_text text = ph_entry(b, ph_col(b, p->column[a]), row);
        if (!text.len) continue;
        if (!tuple) tuple = ph_tuple(b);
        ph_set(b, tuple, a, text);
      }
      ph_measure(b, row, p->index, value, tuple);
    }
  }
  return ph_measured(b);
}
