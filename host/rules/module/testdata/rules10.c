/* By hand: ten rules of a shop, of which the first that holds drops a beacon. What a
 * rule asks of a text is asked once for each distinct text of a batch. */
#include "pharos.h"

const char ph_manifest[] = "{\"kind\":\"filter\",\"name\":\"ten\",\"version\":\"1\"}";

enum { TYPE, PRICE, CATEGORY, BRAND, VISITOR }; /* columns */

/* What is asked of a text. */
enum { PURCHASE = 1, CART = 2, VIEW = 4 };
enum { ELECTRONICS = 1, SMARTPHONE = 2, NO_CATEGORY = 4, KIDS = 8 };
enum { PHONES = 1, NO_BRAND = 2, BOSCH = 4, LG = 8 };

static ph_u8 *types, *categories, *brands; /* by code */

static int ph_configure(ph_text config, ph_text data) {
  (void)config, (void)data;
  types = ph_new(65536), categories = ph_new(65536), brands = ph_new(65536);
  return PH_OK;
}

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"type\",\"type\":\"str\",\"dict\":true},{\"name\":\"product.price\",\"type\":\"f64\"},"
                 "{\"name\":\"product.category\",\"type\":\"str\",\"dict\":true},{\"name\":\"product.brand\",\"type\":\"str\",\"dict\":true},"
                 "{\"name\":\"visitor\",\"type\":\"str\"}],"
                 "\"reasons\":[\"r0\",\"r1\",\"r2\",\"r3\",\"r4\",\"r5\",\"r6\",\"r7\",\"r8\",\"r9\"]}");
}

static int has_suffix(ph_text s, ph_text suffix) {
  return s.len >= suffix.len && ph_equal((ph_text){s.at + s.len - suffix.len, suffix.len}, suffix);
}

static int contains(ph_text s, ph_text part) {
  for (ph_u32 i = 0; i + part.len <= s.len; i++)
    if (s.at[i] == part.at[0] && ph_equal((ph_text){s.at + i, part.len}, part)) return 1;
  return 0;
}

static void ask(const ph_batch *b) {
  const ph_column *c = ph_col(b, TYPE);
  for (ph_u32 i = 0; i < c->entries; i++) {
    ph_text t = ph_entry(b, c, i);
    types[i] = ph_equal(t, PH_TEXT("purchase")) * PURCHASE | ph_equal(t, PH_TEXT("cart")) * CART | ph_equal(t, PH_TEXT("view")) * VIEW;
  }
  c = ph_col(b, CATEGORY);
  for (ph_u32 i = 0; i < c->entries; i++) {
    ph_text t = ph_entry(b, c, i);
    categories[i] = ph_has_prefix(t, PH_TEXT("electronics.")) * ELECTRONICS | has_suffix(t, PH_TEXT(".smartphone")) * SMARTPHONE |
                    (t.len == 0) * NO_CATEGORY | contains(t, PH_TEXT("kids")) * KIDS;
  }
  c = ph_col(b, BRAND);
  for (ph_u32 i = 0; i < c->entries; i++) {
    ph_text t = ph_entry(b, c, i);
    brands[i] = (ph_equal(t, PH_TEXT("samsung")) || ph_equal(t, PH_TEXT("apple")) || ph_equal(t, PH_TEXT("xiaomi"))) * PHONES |
                (t.len == 0) * NO_BRAND | ph_equal(t, PH_TEXT("bosch")) * BOSCH | ph_equal(t, PH_TEXT("lg")) * LG;
  }
}

static int ph_process(const ph_batch *b) {
  ask(b);
  const ph_column *type = ph_col(b, TYPE), *price = ph_col(b, PRICE), *category = ph_col(b, CATEGORY), *brand = ph_col(b, BRAND);
  const ph_texts visitors = ph_entries(b, ph_col(b, VISITOR));
  const ph_u32 *type_codes = ph_codes(b, type), *category_codes = ph_codes(b, category), *brand_codes = ph_codes(b, brand);
  const void *has_type = ph_at(b, type->valid_at), *has_category = ph_at(b, category->valid_at), *has_brand = ph_at(b, brand->valid_at);
  const void *has_price = ph_at(b, price->valid_at);
  const double *prices = ph_f64s(b, price);
  const ph_u32 rows = b->rows;
  for (ph_u32 row = 0; row < rows; row++) {
    const ph_u8 t = ph_bit(has_type, row) ? types[type_codes[row]] : 0;
    const ph_u8 c = ph_bit(has_category, row) ? categories[category_codes[row]] : 0;
    const ph_u8 m = ph_bit(has_brand, row) ? brands[brand_codes[row]] : 0;
    const double p = ph_bit(has_price, row) ? prices[row] : PH_NAN;
    int reason = -1;
    if (t & PURCHASE && p > 100) reason = 0;
    else if (c & ELECTRONICS && p < 5) reason = 1;
    else if (m & PHONES && t & CART) reason = 2;
    else if (c & SMARTPHONE && p >= 1500) reason = 3;
    else if (t & VIEW && p > 2000) reason = 4;
    else if (c & NO_CATEGORY && m & NO_BRAND) reason = 5;
    else if (t & CART && contains(ph_nth(visitors, row), PH_TEXT("777"))) reason = 6;
    else if (c & KIDS) reason = 7;
    else if (p * 1.2 > 1800 && t & PURCHASE) reason = 8;
    else if (m & BOSCH || (m & LG && p < 300)) reason = 9;
    if (reason < 0) ph_keep(b, row);
    else ph_drop(b, row, (ph_u8)reason);
  }
  return PH_OK;
}
