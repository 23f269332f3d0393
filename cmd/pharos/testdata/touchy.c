/* The points of a shop, as clicks.wasm measures them, by a guest that traps at a
 * purchase; the tests'. build.sh builds it. */
#include "pharos.h"

const char ph_manifest[] = "{\"kind\":\"extract\",\"name\":\"touchy\",\"version\":\"0.1.0\"}";

enum { ITEM_PAGE, ADD_TO_CART }; /* points */

static int ph_configure(ph_text config, ph_text data) { return (void)config, (void)data, PH_OK; }

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"type\",\"type\":\"str\"}],"
                 "\"points\":[{\"name\":\"item_page\"},{\"name\":\"add_to_cart\"},{\"name\":\"order\"},{\"name\":\"revenue\"}]}");
}

static int ph_process(const ph_batch *b) {
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_text type = ph_entry(b, ph_col(b, 0), row);
    if (ph_equal(type, PH_TEXT("purchase"))) __builtin_trap();
    if (ph_equal(type, PH_TEXT("view"))) ph_measure(b, row, ITEM_PAGE, 1, 0);
    if (ph_equal(type, PH_TEXT("cart"))) ph_measure(b, row, ADD_TO_CART, 1, 0);
  }
  return ph_measured(b);
}
