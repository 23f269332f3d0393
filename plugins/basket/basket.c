/* basket: an extractor of line items. A beacon whose field is an array of objects
 * gives one measurement of how many they are, and one of each one's worth. */
#include "../../sdk/c/pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"extract\",\"name\":\"basket\",\"version\":\"1.0.0\","
    "\"description\":\"Measures the line items of an array: how many there are, and what each is worth.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"items\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"the field with the array of objects; default items\"},"
    "\"price\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"the key of an item's price; default price\"},"
    "\"quantity\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"the key of how many of it there are; default quantity, 1 where it is absent\"},"
    "\"category\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"the key of a text that items are told apart by; default category\"},"
    "\"when\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"field\",\"is\"],\"description\":\"only beacons whose field has this value\",\"properties\":{"
    "\"field\":{\"type\":\"string\",\"minLength\":1},\"is\":{\"type\":\"string\"}}}}}}";

enum { ITEMS, WHEN };                 /* columns */
enum { LINE_ITEMS, ITEM_VALUE };      /* points */
enum { MOST = 255, TEXT = 4096 };     /* of a beacon's 256 measurements; a longer category is cut off */

static ph_text price, quantity, category, is;
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
  ph_buf b = {0};
  ph_puts(&b, "{\"fields\":[{\"name\":");
  ph_put_quoted(&b, setting(config, PH_TEXT("items"), PH_TEXT("items")));
  ph_puts(&b, ",\"type\":\"json\"}");
  if (conditional) {
    ph_puts(&b, ",{\"name\":");
    ph_put_quoted(&b, ph_string(ph_get(when, PH_TEXT("field"))));
    ph_puts(&b, ",\"type\":\"str\"}");
  }
  ph_puts(&b, "],\"points\":[{\"name\":\"line_items\"},{\"name\":\"item_value\",\"attributes\":[\"category\"]}]}");
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

static int ph_process(const ph_batch *b) {
  const ph_column *items = ph_col(b, ITEMS);
  for (ph_u32 row = 0; row < b->rows; row++) {
    if (!ph_valid(b, items, row)) continue;
    ph_text array = ph_entry(b, items, row), value;
    if (array.at[0] != '[' || (conditional && !ph_equal(ph_entry(b, ph_col(b, WHEN), row), is))) continue;
    ph_u32 count = 0;
    for (ph_u32 at = 0; ph_next(array, &at, 0, &value);) count += value.at[0] == '{';
    ph_measure(b, row, LINE_ITEMS, count, 0);
    ph_u32 n = 0;
    for (ph_u32 at = 0; n < MOST && ph_next(array, &at, 0, &value);) {
      if (value.at[0] != '{') continue;
      n++;
      item i = item_of(value);
      ph_text label = text_of(i.category);
      ph_u32 tuple = 0;
      if (label.len) {
        if (label.at == unquoted) label = ph_copy(b, label);
        tuple = ph_tuple(b);
        ph_set(b, tuple, 0, label);
      }
      ph_measure(b, row, ITEM_VALUE, worth(&i), tuple);
    }
  }
  return ph_measured(b);
}
