/* Measures orders, which of them are not the first of their session, and, when a
 * session with orders has ended, what was spent and how long it took. */
#define PH_CLOSE /* there is a ph_close */
#include "../pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"extract\",\"name\":\"orders\",\"version\":\"1.0.0\","
    "\"description\":\"Orders, and what sessions with orders spent.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false}}";

enum { TYPE, PRICE };                                         /* columns */
enum { ORDER, REPEAT_ORDER, SESSION_SPENT, SESSION_SECONDS }; /* points */
enum { ORDERS, SPENT };                                       /* cells */

static int ph_configure(ph_text config, ph_text data) {
  (void)config, (void)data;
  return PH_OK;
}

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"type\",\"type\":\"str\"},{\"name\":\"price\",\"type\":\"f64\"}],"
                 "\"points\":[{\"name\":\"order\"},{\"name\":\"repeat_order\"},{\"name\":\"session_spent\"},{\"name\":\"session_seconds\"}],"
                 "\"cells\":[{\"name\":\"orders\",\"type\":\"i64\"},{\"name\":\"spent\",\"type\":\"f64\"}]}");
}

static int ph_process(const ph_batch *b) {
  const ph_column *type = ph_col(b, TYPE), *price = ph_col(b, PRICE);
  for (ph_u32 row = 0; row < b->rows; row++) {
    if (!ph_equal(ph_entry(b, type, row), PH_TEXT("order")) || !ph_valid(b, price, row)) continue;
    ph_i64 *orders = ph_cell_i64(b, ORDERS, row);
    ph_measure(b, row, ORDER, ph_f64s(b, price)[row], 0);
    if (*orders > 0) ph_measure(b, row, REPEAT_ORDER, 1, 0);
    ++*orders;
    *ph_cell_f64(b, SPENT, row) += ph_f64s(b, price)[row];
  }
  return ph_measured(b);
}

/* Rows are sessions here. */
static int ph_close(const ph_batch *b) {
  for (ph_u32 row = 0; row < b->rows; row++) {
    if (ph_counted(b, row, ORDER) == 0) continue;
    ph_measure(b, row, SESSION_SPENT, *ph_cell_f64(b, SPENT, row), 0);
    ph_measure(b, row, SESSION_SECONDS, (double)(ph_last(b, row) - ph_first(b, row)) / 1000, 0);
  }
  return ph_measured(b);
}
