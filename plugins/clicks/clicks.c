/* clicks: an extractor whose points come from its config: a beacon whose field has
 * a point's value gives a measurement of it. */
#include "../../sdk/c/pharos.h"
#include "../points.h"

const char ph_manifest[] =
    "{\"kind\":\"extract\",\"name\":\"clicks\",\"version\":\"1.0.0\","
    "\"description\":\"Measures the points of its config: one for each that names the value of the beacon's field.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"points\"],\"properties\":{" POINTS_FIELD "," POINTS_SCHEMA("64") "}}}";

static ph_text plan;

static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  int err = points_configure(config);
  if (err) return err;
  ph_buf b = {0};
  ph_puts(&b, "{\"fields\":[");
  put_fields(&b);
  ph_puts(&b, "],\"points\":[");
  put_points(&b);
  ph_puts(&b, "]}");
  plan = ph_done(&b);
  return PH_OK;
}

static ph_text ph_plan(void) { return plan; }

static int ph_process(const ph_batch *b) {
  points_begin(b);
  for (ph_u32 row = 0; row < b->rows; row++) points_measure(b, row, 0);
  return ph_measured(b);
}
