/* points.h: measurement points that come from a config: a beacon whose field has a
 * point's value gives a measurement of it. For extractors that measure such points,
 * alone or beside others. Include sdk/c/pharos.h before it. */

#define POINTS_FIELD "\"field\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the field that says what the beacon is; default type\"}"
#define POINTS_SCHEMA(most) \
    "\"points\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":" most ",\"items\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"point\",\"is\"],\"properties\":{" \
    "\"point\":{\"type\":\"string\",\"minLength\":1},\"is\":{\"type\":\"string\"}," \
    "\"value\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the field with the value; default 1\"}," \
    "\"attributes\":{\"type\":\"object\",\"maxProperties\":16,\"additionalProperties\":{\"type\":\"string\",\"minLength\":1},\"description\":\"name of an attribute: its field\"}}}}"

enum { POINTS = 64, ATTRIBUTES = 16, NO_COLUMN = 0xFFFF, CODES = 65536 };

typedef struct {
  ph_text is;
  ph_u16 index;  /* of the point among those of the config: several entries may be of one point */
  ph_u16 value;  /* column, or NO_COLUMN for 1 */
  ph_u16 attributes, column[ATTRIBUTES];
} point;

static point points[POINTS];
static ph_u32 points_count;                              /* entries */
static ph_text point_names[POINTS], point_attributes[POINTS]; /* by index */
static ph_u32 points_distinct;

/* A column for each field and form that is asked for, each once. */
enum { TEXTS, NUMBERS, DICTIONARY, JSONS };
typedef struct { ph_text name; int form; } wanted;
static wanted columns[POINTS * (ATTRIBUTES + 1) + 5]; /* and some of the plugin's own */
static ph_u32 columns_count;

static ph_u16 column_of(ph_text name, int form) {
  for (ph_u32 i = 0; i < columns_count; i++)
    if (columns[i].form == form && ph_equal(columns[i].name, name)) return (ph_u16)i;
  columns[columns_count] = (wanted){name, form};
  return (ph_u16)columns_count++;
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

static ph_u16 points_field; /* column */

/* points_configure takes the points of a config, of which there may be none. */
static int points_configure(ph_text config) {
  ph_text all = ph_get(config, PH_TEXT("points")), v, field = ph_get(config, PH_TEXT("field"));
  if (all.len) points_field = column_of(field.len ? ph_string(field) : PH_TEXT("type"), DICTIONARY);
  for (ph_u32 at = 0; ph_next(all, &at, 0, &v); points_count++) {
    point *p = &points[points_count];
    ph_text name = ph_string(ph_get(v, PH_TEXT("point"))), value = ph_get(v, PH_TEXT("value")), own = ph_get(v, PH_TEXT("attributes")), key, path;
    p->is = ph_string(ph_get(v, PH_TEXT("is")));
    p->value = value.len ? column_of(ph_string(value), NUMBERS) : NO_COLUMN;
    p->attributes = 0;
    for (ph_u32 i = 0; ph_next(own, &i, &key, &path);) {
      if (p->attributes == ATTRIBUTES) return ph_fail("a point has more than 16 attributes");
      p->column[p->attributes++] = column_of(ph_string(path), TEXTS);
    }
    for (p->index = 0; p->index < points_distinct && !ph_equal(point_names[p->index], name);) p->index++;
    if (p->index == points_distinct) point_names[points_distinct] = name, point_attributes[points_distinct++] = own;
    else if (!same(point_attributes[p->index], own)) return ph_fail("one point has different attributes in two entries: give both the same, in the same order");
  }
  return PH_OK;
}

/* put_fields writes the columns, for the plan. */
static void put_fields(ph_buf *b) {
  for (ph_u32 i = 0; i < columns_count; i++) {
    if (i) ph_puts(b, ",");
    ph_puts(b, "{\"name\":");
    ph_put_quoted(b, columns[i].name);
    if (columns[i].form == DICTIONARY) ph_puts(b, ",\"type\":\"str\",\"dict\":true}");
    else if (columns[i].form == NUMBERS) ph_puts(b, ",\"type\":\"f64\"}");
    else if (columns[i].form == JSONS) ph_puts(b, ",\"type\":\"json\"}");
    else ph_puts(b, ",\"type\":\"str\"}");
  }
}

/* put_points writes the points of the config, for the plan. */
static void put_points(ph_buf *b) {
  for (ph_u32 i = 0; i < points_distinct; i++) {
    ph_text key, path;
    ph_u32 n = 0;
    if (i) ph_puts(b, ",");
    ph_puts(b, "{\"name\":");
    ph_put_quoted(b, point_names[i]);
    for (ph_u32 at = 0; ph_next(point_attributes[i], &at, &key, &path); n++) {
      if (n) ph_puts(b, ",");
      else ph_puts(b, ",\"attributes\":[");
      ph_put_quoted(b, ph_string(key));
    }
    if (n) ph_puts(b, "]");
    ph_puts(b, "}");
  }
}

/* bits_of gives for each entry of a dictionary a bit for each text that it is. */
static inline void bits_of(const ph_batch *b, const ph_column *column, ph_u64 *bits, const ph_text *texts, ph_u32 stride, ph_u32 count) {
  for (ph_u32 i = 0; i < column->entries; i++) {
    ph_text value = ph_entry(b, column, i);
    bits[i] = 0;
    for (ph_u32 t = 0; t < count; t++)
      if (ph_equal(*(const ph_text *)((const char *)texts + t * stride), value)) bits[i] |= 1ull << t;
  }
}

static ph_u64 points_bits[CODES]; /* by the field's code: the points that it names */

/* points_begin looks at a batch, before its rows are measured. */
static void points_begin(const ph_batch *b) {
  if (points_count) bits_of(b, ph_col(b, points_field), points_bits, &points[0].is, sizeof(point), points_count);
}

/* points_measure measures the points of a row; those of the config begin at first in
 * the plan. */
static void points_measure(const ph_batch *b, ph_u32 row, ph_u32 first) {
  if (!points_count) return;
  const ph_column *field = ph_col(b, points_field);
  if (!ph_valid(b, field, row)) return;
  for (ph_u64 m = points_bits[ph_codes(b, field)[row]]; m; m &= m - 1) {
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
    ph_measure(b, row, first + p->index, value, tuple);
  }
}
