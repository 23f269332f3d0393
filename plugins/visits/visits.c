/* visits: an extractor that measures each session when it has ended: how long it
 * was, how many pages it had, and whether it bounced; and points of its config. */
#define PH_CLOSE
#include "../../sdk/c/pharos.h"
#include "../points.h"

const char ph_manifest[] =
    "{\"kind\":\"extract\",\"name\":\"visits\",\"version\":\"1.0.0\","
    "\"description\":\"Measures visits when they have ended: duration, pages, bounces; and points of its config.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"pages\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"field\",\"is\"],\"description\":\"which beacons are pages; default all\",\"properties\":{"
    "\"field\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256},"
    "\"is\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{\"type\":\"string\"},\"description\":\"the values of the field that a page has\"}}},"
    "\"engaged\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"description\":\"seconds after which a visit of one page is no bounce; default never\"},"
    POINTS_FIELD "," POINTS_SCHEMA("64") "}},"
    "\"defaults\":{\"fields\":[],\"points\":[{\"name\":\"duration\"},{\"name\":\"pages\"},{\"name\":\"bounce\"}],\"cells\":[{\"name\":\"pages\",\"type\":\"i64\"}]}}";

enum { DURATION, PAGES, BOUNCE, FIRST_OF_CONFIG }; /* points */
enum { PAGES_SO_FAR };                             /* cell */
enum { VALUES = 64 };

static ph_text is[VALUES];
static ph_u32 is_count;    /* 0: every beacon is a page */
static ph_u16 pages_field; /* column */
static double engaged;
static ph_text plan;

static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  ph_text pages = ph_get(config, PH_TEXT("pages")), seconds = ph_get(config, PH_TEXT("engaged")), v;
  for (ph_u32 at = 0; ph_next(ph_get(pages, PH_TEXT("is")), &at, 0, &v);) is[is_count++] = ph_string(v);
  if (is_count) pages_field = column_of(ph_string(ph_get(pages, PH_TEXT("field"))), DICTIONARY);
  engaged = seconds.len ? ph_number(seconds) : __builtin_inf();
  int err = points_configure(config);
  if (err) return err;
  for (ph_u32 i = 0; i < points_distinct; i++)
    if (ph_equal(point_names[i], PH_TEXT("duration")) || ph_equal(point_names[i], PH_TEXT("pages")) || ph_equal(point_names[i], PH_TEXT("bounce")))
      return ph_fail("points: duration, pages and bounce are there already: give yours another name");
  ph_buf b = {0};
  ph_puts(&b, "{\"fields\":[");
  put_fields(&b);
  ph_puts(&b, "],\"points\":[{\"name\":\"duration\"},{\"name\":\"pages\"},{\"name\":\"bounce\"}");
  if (points_distinct) ph_puts(&b, ",");
  put_points(&b);
  ph_puts(&b, "],\"cells\":[{\"name\":\"pages\",\"type\":\"i64\"}]}");
  plan = ph_done(&b);
  return PH_OK;
}

static ph_text ph_plan(void) { return plan; }

static ph_u64 page_bits[CODES]; /* by the field's code: the values that it is */

static int is_page(const ph_batch *b, ph_u32 row) {
  if (!is_count) return 1;
  const ph_column *field = ph_col(b, pages_field);
  return ph_valid(b, field, row) && page_bits[ph_codes(b, field)[row]];
}

static int ph_process(const ph_batch *b) {
  points_begin(b);
  if (is_count) bits_of(b, ph_col(b, pages_field), page_bits, is, sizeof(ph_text), is_count);
  for (ph_u32 row = 0; row < b->rows; row++) {
    if (is_page(b, row)) ++*ph_cell_i64(b, PAGES_SO_FAR, row);
    points_measure(b, row, FIRST_OF_CONFIG);
  }
  return ph_measured(b);
}

static int ph_close(const ph_batch *b) {
  for (ph_u32 row = 0; row < b->rows; row++) {
    double seconds = (double)(ph_last(b, row) - ph_first(b, row)) / 1000;
    ph_i64 pages = *ph_cell_i64(b, PAGES_SO_FAR, row);
    ph_measure(b, row, DURATION, seconds, 0);
    ph_measure(b, row, PAGES, (double)pages, 0);
    if (pages == 1 && seconds < engaged) ph_measure(b, row, BOUNCE, 1, 0);
  }
  return ph_measured(b);
}
