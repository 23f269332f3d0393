/* Measures image clicks with the image and its slot, and counts what has none. */
#include "../pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"extract\",\"name\":\"images\",\"version\":\"1.0.0\","
    "\"description\":\"Image clicks by image and slot.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false}}";

enum { TYPE, IMAGE, SLOT, WEIGHT }; /* columns */
enum { CLICK, CLICK_WEIGHT };       /* points */
enum { WITHOUT_IMAGE };             /* counter */

static int ph_configure(ph_text config, ph_text data) {
  (void)config, (void)data;
  return PH_OK;
}

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"type\",\"type\":\"str\",\"dict\":true},{\"name\":\"img.id\",\"type\":\"str\"},"
                 "{\"name\":\"img.slot\",\"type\":\"str\"},{\"name\":\"weight\",\"type\":\"f64\"}],"
                 "\"points\":[{\"name\":\"image_click\",\"attributes\":[\"image\",\"slot\"]},{\"name\":\"image_weight\"}],"
                 "\"counters\":[\"without_image\"]}");
}

static int ph_process(const ph_batch *b) {
  const ph_column *type = ph_col(b, TYPE), *image = ph_col(b, IMAGE), *slot = ph_col(b, SLOT), *weight = ph_col(b, WEIGHT);
  ph_u32 click = ~0u; /* the code of "click" in this batch */
  for (ph_u32 i = 0; i < type->entries; i++)
    if (ph_equal(ph_entry(b, type, i), PH_TEXT("click"))) click = i;
  for (ph_u32 row = 0; row < b->rows; row++) {
    if (!ph_valid(b, type, row) || ph_codes(b, type)[row] != click) continue;
    ph_u32 tuple = 0;
    ph_text id = ph_entry(b, image, row), at = ph_entry(b, slot, row);
    if (id.len || at.len) {
      tuple = ph_tuple(b);
      ph_set(b, tuple, 0, id);
      ph_set(b, tuple, 1, at);
    } else {
      ph_count(b, WITHOUT_IMAGE, 1);
    }
    ph_measure(b, row, CLICK, 1, tuple);
    if (ph_valid(b, weight, row)) ph_measure(b, row, CLICK_WEIGHT, ph_f64s(b, weight)[row], 0);
  }
  return ph_measured(b);
}
