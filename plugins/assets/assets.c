/* assets: drops requests for what a page is made of (styles, scripts, images, fonts),
 * by the ending of their path, once per distinct path of a batch. */
#include "../../sdk/c/pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"filter\",\"name\":\"assets\",\"version\":\"1.0.0\","
    "\"description\":\"Drops requests for styles, scripts, images and fonts, by the ending of their path.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"field\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the field with the path; default path\"},"
    "\"endings\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1},\"description\":\"what follows the last dot of a path, lower-case; default those of styles, scripts, images and fonts\"}}},"
    "\"defaults\":{\"fields\":[{\"name\":\"path\",\"type\":\"str\",\"dict\":true}],\"reasons\":[\"asset\"]}}";

static const char *const usual[] = {"css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "woff", "woff2", "ttf", "otf", "eot"};

static ph_text plan, *endings;
static ph_u32 endings_count;

static void take_usual(void) {
  endings = ph_new(sizeof usual / sizeof *usual * sizeof *endings);
  for (ph_u32 i = 0; i < sizeof usual / sizeof *usual; i++) {
    ph_u32 len = 0;
    while (usual[i][len]) len++;
    endings[endings_count++] = (ph_text){usual[i], len};
  }
}

static void take_given(ph_text list) {
  ph_text v;
  ph_u32 count = 0;
  for (ph_u32 at = 0; ph_next(list, &at, 0, &v);) count++;
  endings = ph_new(count * sizeof *endings);
  for (ph_u32 at = 0; ph_next(list, &at, 0, &v);) endings[endings_count++] = ph_string(v);
}

static int ph_configure(ph_text config, ph_text data) {
  ph_text field = ph_get(config, PH_TEXT("field")), given = ph_get(config, PH_TEXT("endings"));
  ph_buf b = {0};
  (void)data;
  if (given.len) take_given(given);
  else take_usual();
  ph_puts(&b, "{\"fields\":[{\"name\":");
  ph_put_quoted(&b, field.len ? ph_string(field) : PH_TEXT("path"));
  ph_puts(&b, ",\"type\":\"str\",\"dict\":true}],\"reasons\":[\"asset\"]}");
  plan = ph_done(&b);
  return PH_OK;
}

static ph_text ph_plan(void) { return plan; }

/* ending is what follows the last dot of a path, which ends where a query begins. */
static ph_text ending(ph_text path) {
  ph_u32 dot = 0, end = 0;
  for (; end < path.len && path.at[end] != '?' && path.at[end] != '#'; end++)
    if (path.at[end] == '.') dot = end + 1;
  return dot ? (ph_text){path.at + dot, end - dot} : (ph_text){0, 0};
}

static int is_asset(ph_text path) {
  ph_text e = ending(path);
  if (!e.len) return 0;
  for (ph_u32 i = 0; i < endings_count; i++) {
    ph_u32 k = 0;
    if (endings[i].len != e.len) continue;
    while (k < e.len && ph_lower(e.at[k]) == endings[i].at[k]) k++;
    if (k == e.len) return 1;
  }
  return 0;
}

enum { VERDICTS = 65536 };
static ph_u8 verdicts[VERDICTS]; /* by the codes of the batch */

static int ph_process(const ph_batch *b) {
  const ph_column *path = ph_col(b, 0);
  const ph_u32 *code = ph_codes(b, path);
  if (path->entries > VERDICTS) return ph_fail("more distinct paths than rows");
  for (ph_u32 i = 0; i < path->entries; i++) verdicts[i] = (ph_u8)is_asset(ph_entry(b, path, i));
  for (ph_u32 row = 0; row < b->rows; row++) {
    if (ph_valid(b, path, row) && verdicts[code[row]]) ph_drop(b, row, 0);
    else ph_keep(b, row);
  }
  return PH_OK;
}
