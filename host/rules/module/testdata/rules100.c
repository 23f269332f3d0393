/* By hand: drops views of a hundred brands above a price of each. BRANDS are the
 * brands with their prices, by bytes. */
#include "pharos.h"

const char ph_manifest[] = "{\"kind\":\"filter\",\"name\":\"hundred\",\"version\":\"1\"}";

enum { TYPE, PRICE, BRAND }; /* columns */

static const struct { ph_text name; double price; ph_u8 reason; } brands[] = {
#include "brands.h"
};
enum { BRANDS = sizeof brands / sizeof brands[0], NONE = 255 };

static ph_u8 *known; /* by code */

static int ph_configure(ph_text config, ph_text data) {
  (void)config, (void)data;
  known = ph_new(65536);
  return PH_OK;
}

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"type\",\"type\":\"str\",\"dict\":true},{\"name\":\"product.price\",\"type\":\"f64\"},"
                 "{\"name\":\"product.brand\",\"type\":\"str\",\"dict\":true}],\"reasons\":[" REASONS "]}");
}

static int compare(ph_text a, ph_text b) {
  const ph_u32 n = a.len < b.len ? a.len : b.len;
  for (ph_u32 i = 0; i < n; i++)
    if (a.at[i] != b.at[i]) return (ph_u8)a.at[i] - (ph_u8)b.at[i];
  return (int)a.len - (int)b.len;
}

static ph_u8 find(ph_text name) {
  ph_u32 from = 0, to = BRANDS;
  while (from < to) {
    const ph_u32 mid = (from + to) / 2;
    const int c = compare(brands[mid].name, name);
    if (c == 0) return (ph_u8)mid;
    if (c < 0) from = mid + 1;
    else to = mid;
  }
  return NONE;
}

static int ph_process(const ph_batch *b) {
  const ph_column *type = ph_col(b, TYPE), *price = ph_col(b, PRICE), *brand = ph_col(b, BRAND);
  ph_u32 view = type->entries; /* the code of no row */
  for (ph_u32 i = 0; i < type->entries; i++)
    if (ph_equal(ph_entry(b, type, i), PH_TEXT("view"))) view = i;
  for (ph_u32 i = 0; i < brand->entries; i++) known[i] = find(ph_entry(b, brand, i));
  const ph_u32 *types = ph_codes(b, type), *codes = ph_codes(b, brand), rows = b->rows;
  const void *has_type = ph_at(b, type->valid_at), *has_brand = ph_at(b, brand->valid_at), *has_price = ph_at(b, price->valid_at);
  const double *prices = ph_f64s(b, price);
  for (ph_u32 row = 0; row < rows; row++) {
    const ph_u8 k = known[codes[row]];
    if (k != NONE && types[row] == view && prices[row] > brands[k].price && ph_bit(has_brand, row) && ph_bit(has_type, row) && ph_bit(has_price, row))
      ph_drop(b, row, brands[k].reason);
    else ph_keep(b, row);
  }
  return PH_OK;
}
