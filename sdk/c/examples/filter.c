/* Drops beacons of internal visitors: a flag, or an address that begins with the
 * configured prefix. */
#include "../pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"filter\",\"name\":\"internal\",\"version\":\"1.0.0\","
    "\"description\":\"Drops beacons of internal visitors.\","
    "\"config\":{\"type\":\"object\",\"properties\":{\"prefix\":{\"type\":\"string\"}},\"additionalProperties\":false}}";

enum { INTERNAL, REMOTE }; /* columns */

static ph_text prefix;

static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  prefix = ph_string(ph_get(config, PH_TEXT("prefix")));
  return PH_OK;
}

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"internal\",\"type\":\"bool\"},{\"name\":\"remote\",\"type\":\"str\"}],"
                 "\"reasons\":[\"internal\"]}");
}

static int ph_process(const ph_batch *b) {
  const void *internal = ph_bools(b, ph_col(b, INTERNAL));
  ph_texts remote = ph_entries(b, ph_col(b, REMOTE));
  for (ph_u32 row = 0; row < b->rows; row++) {
    if (ph_bit(internal, row) || (prefix.len && ph_has_prefix(ph_nth(remote, row), prefix))) ph_drop(b, row, 0);
    else ph_keep(b, row);
  }
  return PH_OK;
}
