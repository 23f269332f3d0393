/* Sends rows to the route "big" whose price is at least the configured minimum. */
#include "../pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"split\",\"name\":\"by-price\",\"version\":\"1.0.0\","
    "\"description\":\"Routes by price.\","
    "\"config\":{\"type\":\"object\",\"properties\":{\"minimum\":{\"type\":\"number\",\"minimum\":0}},\"additionalProperties\":false}}";

enum { SMALL, BIG }; /* routes */

static double minimum;

static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  ph_text v = ph_get(config, PH_TEXT("minimum"));
  minimum = v.len ? ph_number(v) : 100;
  return PH_OK;
}

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"product.price\",\"type\":\"f64\"}],\"routes\":[\"small\",\"big\"]}");
}

static int ph_process(const ph_batch *b) {
  const ph_column *price = ph_col(b, 0);
  for (ph_u32 row = 0; row < b->rows; row++)
    if (ph_valid(b, price, row)) ph_route(b, row, ph_f64s(b, price)[row] >= minimum ? BIG : SMALL);
  return PH_OK;
}
