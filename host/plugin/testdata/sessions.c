/* An extractor that keeps cells, and does with each beacon what its field `do` says;
 * the tests'. */
#define PH_CLOSE
#include "pharos.h"

const char ph_manifest[] = "{\"kind\":\"extract\",\"name\":\"sessions\",\"version\":\"1\"}";

enum { DO, V };
enum { NTH, SUM, END, COUNTED };
enum { SEEN, TOTAL, MOOD };

static int ph_configure(ph_text config, ph_text data) { return (void)config, (void)data, PH_OK; }

static ph_text ph_plan(void) {
  return PH_TEXT("{\"fields\":[{\"name\":\"do\",\"type\":\"str\"},{\"name\":\"v\",\"type\":\"f64\"}],"
                 "\"points\":[{\"name\":\"nth\"},{\"name\":\"sum\",\"attributes\":[\"what\"]},{\"name\":\"end\"},{\"name\":\"counted\"}],"
                 "\"cells\":[{\"name\":\"seen\",\"type\":\"i64\"},{\"name\":\"total\",\"type\":\"f64\"},{\"name\":\"mood\",\"type\":\"i64\"}],"
                 "\"counters\":[\"beacons\",\"ends\"]}");
}

static int is(ph_text what, const char *name) {
  ph_u32 n = 0;
  while (name[n]) n++;
  return ph_equal(what, (ph_text){name, n});
}

static ph_u32 calls;

static int ph_process(const ph_batch *b) {
  calls++;
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_text what = ph_entry(b, ph_col(b, DO), row);
    ph_count(b, 0, 1);
    ph_i64 *seen = ph_cell_i64(b, SEEN, row);
    double *total = ph_cell_f64(b, TOTAL, row);
    ++*seen;
    *total += ph_f64s(b, ph_col(b, V))[row];
    if (is(what, "trap")) __builtin_trap();
    if (is(what, "trap in a used instance") && calls > 1) __builtin_trap();
    if (is(what, "fail")) return ph_fail("I can not");
    if (is(what, "nan")) ph_measure(b, row, NTH, PH_NAN, 0);
    else ph_measure(b, row, NTH, (double)*seen, 0);
    if (is(what, "forget")) *seen = 0;
    if (is(what, "not a number")) *total = -PH_NAN;
    if (is(what, "trap at the end")) *ph_cell_i64(b, MOOD, row) = 1;
    if (is(what, "nan at the end")) *ph_cell_i64(b, MOOD, row) = 2;
    if (is(what, "many at the end")) *ph_cell_i64(b, MOOD, row) = 3;
    if (is(what, "sum")) {
      ph_u32 t = ph_tuple(b);
      ph_set(b, t, 0, what);
      ph_measure(b, row, SUM, *total, t);
    }
    if (is(what, "many")) /* more than there is room for at first */
      for (int i = 0; i < 100; i++) ph_measure(b, row, NTH, i, 0);
  }
  return ph_measured(b);
}

static int ph_close(const ph_batch *b) {
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_i64 mood = *ph_cell_i64(b, MOOD, row);
    ph_count(b, 1, 1);
    if (mood == 1) __builtin_trap();
    ph_u32 t = ph_tuple(b);
    ph_set(b, t, 0, ph_copy(b, PH_TEXT("all")));
    ph_measure(b, row, SUM, *ph_cell_f64(b, TOTAL, row), t);
    ph_measure(b, row, END, mood == 2 ? PH_NAN : (double)(ph_last(b, row) - ph_first(b, row)), 0);
    ph_measure(b, row, COUNTED, (double)ph_counted(b, row, NTH), 0);
    if (mood == 3)
      for (int i = 0; i < 250; i++) ph_measure(b, row, NTH, i, 0);
  }
  return ph_measured(b);
}
