/* basket: an extractor of line items. A beacon whose field is an array of objects
 * gives one measurement of how many they are, and one of each one's worth. Points of
 * its config are measured too. */
#include "../../sdk/c/pharos.h"
#include "../points.h"

const char ph_manifest[] =
    "{\"kind\":\"extract\",\"name\":\"basket\",\"version\":\"1.2.0\","
    "\"description\":\"Measures the line items of an array: how many there are, and what each is worth; and points of its config.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"items\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"the field with the array of objects; default items\"},"
    "\"price\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"the key of an item's price; default price\"},"
    "\"quantity\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"the key of how many of it there are; default quantity, 1 where it is absent\"},"
    "\"category\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"the key of a text or number that items are told apart by; default category\"},"
    "\"when\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"field\",\"is\"],\"description\":\"only beacons whose field has this value\",\"properties\":{"
    "\"field\":{\"type\":\"string\",\"minLength\":1},\"is\":{\"type\":\"string\"}}}," POINTS_FIELD "," POINTS_SCHEMA("64") "}}}";

enum { LINE_ITEMS, ITEM_VALUE, FIRST_OF_CONFIG }; /* points */
enum { NOT_MEASURED };                            /* counters */
enum { MOST = 256, TEXT = 4096 };                 /* measurements of a beacon; a longer category with escapes is none */

static ph_text price, quantity, category, is;
static ph_u16 items_field, when_field; /* columns */
static int conditional;
static ph_text plan;

static ph_text setting(ph_text config, ph_text key, ph_text otherwise) {
  ph_text v = ph_get(config, key);
  return v.len ? ph_string(v) : otherwise;
}

static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  price = setting(config, PH_TEXT("price"), PH_TEXT("price"));
  quantity = setting(config, PH_TEXT("quantity"), PH_TEXT("quantity"));
  category = setting(config, PH_TEXT("category"), PH_TEXT("category"));
  ph_text when = ph_get(config, PH_TEXT("when"));
  conditional = when.len > 0;
  is = ph_string(ph_get(when, PH_TEXT("is")));
  items_field = column_of(setting(config, PH_TEXT("items"), PH_TEXT("items")), JSONS);
  if (conditional) when_field = column_of(ph_string(ph_get(when, PH_TEXT("field"))), TEXTS);
  int err = points_configure(config);
  if (err) return err;
  for (ph_u32 i = 0; i < points_distinct; i++)
    if (ph_equal(point_names[i], PH_TEXT("line_items")) || ph_equal(point_names[i], PH_TEXT("item_value")))
      return ph_fail("points: line_items and item_value are there already: give yours another name");
  ph_buf b = {0};
  ph_puts(&b, "{\"fields\":[");
  put_fields(&b);
  ph_puts(&b, "],\"points\":[{\"name\":\"line_items\"},{\"name\":\"item_value\",\"attributes\":[\"category\"]}");
  if (points_distinct) ph_puts(&b, ",");
  put_points(&b);
  ph_puts(&b, "],\"counters\":[\"not_measured\"]}");
  plan = ph_done(&b);
  return PH_OK;
}

static ph_text ph_plan(void) { return plan; }

/* What an object has under a key; of a repeated key the last. */
static char unquoted[TEXT];
static ph_text text_of(ph_text quoted) {
  return quoted.len > TEXT && ph_escaped(quoted) ? (ph_text){0, 0} : ph_unquote(quoted, unquoted);
}
static int is_number(ph_text v) { return v.len && (v.at[0] == '-' || (v.at[0] >= '0' && v.at[0] <= '9')); }

typedef struct { ph_text price, quantity, category; } item;

static item item_of(ph_text object) {
  item i = {{0, 0}, {0, 0}, {0, 0}};
  ph_text key, value;
  for (ph_u32 at = 0; ph_next(object, &at, &key, &value);) {
    ph_text name = text_of(key);
    if (ph_equal(name, price)) i.price = value;
    if (ph_equal(name, quantity)) i.quantity = value;
    if (ph_equal(name, category)) i.category = value;
  }
  return i;
}

static double worth(const item *i) {
  if (!is_number(i->price) || (i->quantity.len && !is_number(i->quantity))) return PH_NAN;
  return ph_number(i->price) * (i->quantity.len ? ph_number(i->quantity) : 1);
}

/* basket measures the items of an array. */
static void basket(const ph_batch *b, ph_u32 row, ph_text array) {
  const ph_u32 most = MOST - 1 - points_count;
  ph_text value;
  ph_u32 count = 0, n = 0;
  for (ph_u32 at = 0; ph_next(array, &at, 0, &value);) count += value.at[0] == '{';
  ph_measure(b, row, LINE_ITEMS, count, 0);
  if (count > most) ph_count(b, NOT_MEASURED, count - most);
  for (ph_u32 at = 0; n < most && ph_next(array, &at, 0, &value);) {
    if (value.at[0] != '{') continue;
    n++;
    item i = item_of(value);
    ph_text label = is_number(i.category) ? i.category : text_of(i.category);
    ph_u32 tuple = 0;
    if (label.len) {
      if (label.at == unquoted) label = ph_copy(b, label);
      tuple = ph_tuple(b);
      ph_set(b, tuple, 0, label);
    }
    ph_measure(b, row, ITEM_VALUE, worth(&i), tuple);
  }
}

static int ph_process(const ph_batch *b) {
  const ph_column *items = ph_col(b, items_field);
  points_begin(b);
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_text array = ph_entry(b, items, row);
    if (ph_valid(b, items, row) && array.at[0] == '[' && (!conditional || ph_equal(ph_entry(b, ph_col(b, when_field), row), is)))
      basket(b, row, array);
    points_measure(b, row, FIRST_OF_CONFIG);
  }
  return ph_measured(b);
}
