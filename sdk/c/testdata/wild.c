/* Does what its config says, and must not: native.c stops it. */
#include "../pharos.h"

const char ph_manifest[] = "{\"kind\":\"filter\",\"name\":\"wild\",\"version\":\"1.0.0\"}";

static ph_text what, config_text;
static const char *mine;
static volatile int sum, most = 0x7fffffff;
static volatile ph_u32 nine = 9;

static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  what = ph_get(config, PH_TEXT("do"));
  config_text = config;
  mine = ph_new(16);
  return PH_OK;
}

static ph_text ph_plan(void) { return PH_TEXT("{\"fields\":[{\"name\":\"x\",\"type\":\"str\"}],\"reasons\":[\"never\"]}"); }

static int is(const char *text, ph_u32 len) { return ph_equal(what, (ph_text){text, len}); }
#define DOES(text) is("\"" text "\"", sizeof text + 1)

static int ph_process(const ph_batch *b) {
  int some[4] = {0};
  if (DOES("reads behind the batch")) sum += *(volatile const char *)ph_at(b, b->size);
  if (DOES("writes behind the batch")) *(volatile char *)ph_at(b, b->size) = 1;
  if (DOES("reads behind its memory")) sum += *(volatile const char *)(mine + 16);
  if (DOES("reads behind the config")) sum += *(volatile const char *)(config_text.at + 100000);
  if (DOES("overflows")) sum = most + 1;
  if (DOES("reads behind an array")) sum += some[nine];
  for (ph_u32 row = 0; row < b->rows; row++) ph_keep(b, row);
  return PH_OK;
}
