/* Drops beacons of internal visitors: a flag, or an address that begins with the
 * configured prefix. */
#include "../pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"filter\",\"name\":\"internal\",\"version\":\"1.0.0\","
    "\"description\":\"Drops beacons of internal visitors.\","
    "\"config\":{\"type\":\"object\",\"properties\":{\"prefix\":{\"type\":\"string\"}},\"additionalProperties\":false}}";

enum { INTERNAL, REMOTE };

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
  const ph_column *internal = ph_col(b, INTERNAL), *remote = ph_col(b, REMOTE);
  const ph_u8 *flags = (const ph_u8 *)ph_at(b, internal->data_at);
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_text from = ph_entry(b, remote, row);
    int is_internal = flags[row >> 3] >> (row & 7) & 1;
    if (prefix.len && from.len >= prefix.len && ph_equal((ph_text){from.at, prefix.len}, prefix)) is_internal = 1;
    if (is_internal) ph_drop(b, row, 0);
    else ph_keep(b, row);
  }
  return PH_OK;
}
