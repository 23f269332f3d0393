/* Measures each row with a text of its own making, for a test of ph_copy: the row's text twice, beside the text itself;
 * and of the columns that no example has. */
#include "../pharos.h"

const char ph_manifest[] = "{\"kind\":\"extract\",\"name\":\"text\",\"version\":\"1\"}";

static char *twice;
enum { MOST = 4096 };

static int ph_configure(ph_text config, ph_text data) {
  (void)config, (void)data;
  twice = ph_new(2 * MOST);
  return PH_OK;
}

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"s\",\"type\":\"str\"},{\"name\":\"a\",\"type\":\"any\"},{\"name\":\"i\",\"type\":\"i64\"},{\"name\":\"b\",\"type\":\"bool\"}],"
                 "\"points\":[{\"name\":\"row\",\"attributes\":[\"text\",\"twice\"]},{\"name\":\"kind\"},{\"name\":\"integer\"},{\"name\":\"true\"}]}");
}

static int ph_process(const ph_batch *b) {
  const ph_column *s = ph_col(b, 0), *a = ph_col(b, 1), *n = ph_col(b, 2), *t = ph_col(b, 3);
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_text text = ph_entry(b, s, row);
    if (text.len > MOST) return ph_fail("the text is too long");
    for (ph_u32 i = 0; i < 2 * text.len; i++) twice[i] = text.at[i % text.len];
    ph_u32 tuple = ph_tuple(b);
    ph_set(b, tuple, 0, text);
    ph_set(b, tuple, 1, ph_copy(b, (ph_text){twice, 2 * text.len}));
    ph_measure(b, row, 0, 1, tuple);
    ph_measure(b, row, 1, ph_kinds(b, a)[row], 0);
    if (ph_valid(b, n, row)) ph_measure(b, row, 2, (double)ph_i64s(b, n)[row], 0);
    if (ph_bool(b, t, row)) ph_measure(b, row, 3, 1, 0);
  }
  return ph_measured(b);
}
