/* Writes its config anew as its plan, for a test of the JSON reader: strings decoded and quoted again, numbers as a
 * string of what they are written as and the bits of the double. The data file `whole` is given as a string. */
#include "../pharos.h"

const char ph_manifest[] = "{\"kind\":\"filter\",\"name\":\"json\",\"version\":\"1\"}";

static ph_buf out;

static void put_number(ph_text v) {
  union { double n; ph_u64 bits; } u = {ph_number(v)};
  char hex[16];
  for (int i = 0; i < 16; i++) hex[i] = "0123456789abcdef"[u.bits >> (60 - 4 * i) & 15];
  ph_puts(&out, "\"");
  ph_put(&out, v);
  ph_puts(&out, " ");
  ph_put(&out, (ph_text){hex, 16});
  ph_puts(&out, "\"");
}

static void put_value(ph_text v) {
  ph_text key, value;
  ph_u32 at = 0, n = 0;
  switch (v.at[0]) {
  case '{':
    ph_puts(&out, "{");
    while (ph_next(v, &at, &key, &value)) {
      if (n++) ph_puts(&out, ",");
      ph_put_quoted(&out, ph_string(key));
      ph_puts(&out, ":");
      put_value(value);
    }
    ph_puts(&out, "}");
    return;
  case '[':
    ph_puts(&out, "[");
    while (ph_next(v, &at, 0, &value)) {
      if (n++) ph_puts(&out, ",");
      put_value(value);
    }
    ph_puts(&out, "]");
    return;
  case '"': ph_put_quoted(&out, ph_string(v)); return;
  case 't': case 'f': case 'n': ph_put(&out, v); return;
  default: put_number(v);
  }
}

static int ph_configure(ph_text config, ph_text data) {
  ph_text file = ph_file(data, PH_TEXT("whole"));
  ph_puts(&out, "[");
  put_value(config);
  ph_puts(&out, ",");
  ph_put_quoted(&out, file);
  ph_puts(&out, ",");
  ph_puts(&out, "[");
  ph_put_quoted(&out, ph_string(ph_get(ph_get(config, PH_TEXT("a\"\xC3\xA9")), PH_TEXT("b"))));
  ph_puts(&out, "]]");
  return PH_OK;
}

static ph_text ph_plan(void) { return ph_done(&out); }

static int ph_process(const ph_batch *b) {
  (void)b;
  return ph_fail("only the config is tried");
}
