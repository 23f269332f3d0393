/* A guest that does with each beacon what its field `do` says; the tests'.
 * build.sh builds it as each kind. */
#include "pharos.h"

#define STRING(x) #x
#define STRING_OF(x) STRING(x)

const char ph_manifest[] =
    "{\"kind\":\"" STRING_OF(KIND) "\",\"name\":\"moody\",\"version\":\"1.2.3\","
    "\"config\":{\"type\":\"object\",\"properties\":{\"refuse\":{\"type\":\"boolean\"}},"
    "\"additionalProperties\":false}}";

static int ph_configure(ph_text config, ph_text data) {
  if (ph_equal(ph_get(config, PH_TEXT("refuse")), PH_TEXT("true"))) return ph_fail("I refuse");
  if (ph_equal(ph_file(data, PH_TEXT("list")), PH_TEXT("empty"))) return ph_fail("the list is empty");
  return PH_OK;
}

static ph_text ph_plan(void) {
#ifdef IS_filter
  return PH_TEXT("{\"fields\":[{\"name\":\"do\",\"type\":\"str\"},{\"name\":\"ballast\",\"type\":\"str\"}],\"reasons\":[\"no\",\"yes\"],\"counters\":[\"beacons\"]}");
#endif
#ifdef IS_split
  return PH_TEXT("{\"fields\":[{\"name\":\"do\",\"type\":\"str\"}],\"routes\":[\"no\",\"yes\"],\"counters\":[\"beacons\"]}");
#endif
#ifdef IS_extract
  return PH_TEXT("{\"fields\":[{\"name\":\"do\",\"type\":\"str\"}],\"points\":[{\"name\":\"no\"},{\"name\":\"yes\",\"attributes\":[\"what\",\"none\"]}],\"counters\":[\"beacons\"]}");
#endif
}

static void say(const ph_batch *b, ph_u32 row, ph_text what, ph_u32 number) {
#ifdef IS_filter
  (void)what;
  ph_drop(b, row, (ph_u8)number);
#endif
#ifdef IS_split
  (void)what;
  ph_route(b, row, (ph_u16)number);
#endif
#ifdef IS_extract
  ph_u32 tuple = ph_tuple(b);
  ph_set(b, tuple, 0, what);
  ph_measure(b, row, number, 2.5, tuple);
#endif
}

static void nothing(const ph_batch *b, ph_u32 row) {
#ifdef IS_filter
  ph_keep(b, row);
#endif
#ifdef IS_split
  ph_route(b, row, PH_NO_ROUTE);
#endif
  (void)b, (void)row;
}

static int is(ph_text what, const char *name) {
  ph_u32 n = 0;
  while (name[n]) n++;
  return ph_equal(what, (ph_text){name, n});
}

static ph_u32 calls;
static volatile ph_u32 turns;

static int ph_process(const ph_batch *b) {
  calls++;
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_text what = ph_entry(b, ph_col(b, 0), row);
    ph_count(b, 0, 1);
    if (is(what, "yes")) say(b, row, what, 1);
    else if (is(what, "wrong")) say(b, row, what, 9);
    else if (is(what, "trap")) __builtin_trap();
    else if (is(what, "trap in a used instance") && calls > 1) __builtin_trap();
    else if (is(what, "trap in company") && b->rows > 1) __builtin_trap();
    else if (is(what, "loop")) for (;;) turns++;
    else if (is(what, "slow")) {
      for (ph_u32 i = 0; i < 2000000; i++) turns++;
      nothing(b, row);
    }
    else if (is(what, "fail")) return ph_fail("I can not");
#ifdef IS_extract
    else if (is(what, "nan")) ph_measure(b, row, 0, PH_NAN, 0);
    else if (is(what, "infinite")) ph_measure(b, row, 0, -__builtin_inf(), 0);
    else if (is(what, "huge")) ph_measure(b, row, 0, 1000000001, 0);
    else if (is(what, "large")) ph_measure(b, row, 0, -1000000000, 0);
#endif
    else nothing(b, row);
  }
  return ph_measured(b);
}
