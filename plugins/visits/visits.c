/* visits: an extractor that measures each session when it has ended: how long it
 * was, how many pages it had, and whether it bounced. */
#define PH_CLOSE
#include "../../sdk/c/pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"extract\",\"name\":\"visits\",\"version\":\"1.0.0\","
    "\"description\":\"Measures visits when they have ended: duration, pages, bounces.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"pages\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"field\",\"is\"],\"description\":\"which beacons are pages; default all\",\"properties\":{"
    "\"field\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256},"
    "\"is\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"items\":{\"type\":\"string\"},\"description\":\"the values of the field that a page has\"}}},"
    "\"engaged\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"description\":\"seconds after which a visit of one page is no bounce; default never\"}}},"
    "\"defaults\":{\"fields\":[],\"points\":[{\"name\":\"duration\"},{\"name\":\"pages\"},{\"name\":\"bounce\"}],\"cells\":[{\"name\":\"pages\",\"type\":\"i64\"}]}}";

enum { FIELD };                    /* column */
enum { DURATION, PAGES, BOUNCE };  /* points */
enum { PAGES_SO_FAR };             /* cell */
enum { VALUES = 64 };

static ph_text is[VALUES];
static ph_u32 count; /* of is; 0: every beacon is a page */
static double engaged;
static ph_text plan;

static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  ph_text pages = ph_get(config, PH_TEXT("pages")), seconds = ph_get(config, PH_TEXT("engaged")), v;
  for (ph_u32 at = 0; ph_next(ph_get(pages, PH_TEXT("is")), &at, 0, &v);) is[count++] = ph_string(v);
  engaged = seconds.len ? ph_number(seconds) : __builtin_inf();
  ph_buf b = {0};
  ph_puts(&b, "{\"fields\":[");
  if (count) {
    ph_puts(&b, "{\"name\":");
    ph_put_quoted(&b, ph_string(ph_get(pages, PH_TEXT("field"))));
    ph_puts(&b, ",\"type\":\"str\"}");
  }
  ph_puts(&b, "],\"points\":[{\"name\":\"duration\"},{\"name\":\"pages\"},{\"name\":\"bounce\"}],\"cells\":[{\"name\":\"pages\",\"type\":\"i64\"}]}");
  plan = ph_done(&b);
  return PH_OK;
}

static ph_text ph_plan(void) { return plan; }

static int is_page(const ph_batch *b, ph_u32 row) {
  if (!count) return 1;
  const ph_column *field = ph_col(b, FIELD);
  ph_text value = ph_entry(b, field, row);
  for (ph_u32 i = 0; i < count; i++)
    if (ph_equal(is[i], value)) return ph_valid(b, field, row);
  return 0;
}

static int ph_process(const ph_batch *b) {
  for (ph_u32 row = 0; row < b->rows; row++)
    if (is_page(b, row)) ++*ph_cell_i64(b, PAGES_SO_FAR, row);
  return PH_OK;
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
