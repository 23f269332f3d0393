/* By hand: drops purchases above 100. */
#include "pharos.h"

const char ph_manifest[] = "{\"kind\":\"filter\",\"name\":\"one\",\"version\":\"1\"}";

enum { TYPE, PRICE }; /* columns */

static int ph_configure(ph_text config, ph_text data) {
  (void)config, (void)data;
  return PH_OK;
}

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"type\",\"type\":\"str\",\"dict\":true},{\"name\":\"product.price\",\"type\":\"f64\"}],"
                 "\"reasons\":[\"r0\"]}");
}

static int ph_process(const ph_batch *b) {
  const ph_column *type = ph_col(b, TYPE);
  const ph_u32 *types = ph_codes(b, type), rows = b->rows;
  const double *prices = ph_f64s(b, ph_col(b, PRICE));
  const void *valid = ph_at(b, type->valid_at);
  ph_u32 purchase = type->entries; /* the code of no row */
  for (ph_u32 i = 0; i < type->entries; i++)
    if (ph_equal(ph_entry(b, type, i), PH_TEXT("purchase"))) purchase = i;
  for (ph_u32 row = 0; row < rows; row++) {
    if (types[row] == purchase && prices[row] > 100 && ph_bit(valid, row)) ph_drop(b, row, 0);
    else ph_keep(b, row);
  }
  return PH_OK;
}
