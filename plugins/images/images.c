/* images: an extractor of the images that beacons show, one measurement each, and of
 * those that were clicked; and points of its config. */
#include "../../sdk/c/pharos.h"
#include "../points.h"

#define TEXT_SETTING(name, what) "\"" name "\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":\"" what "\"}"

const char ph_manifest[] =
    "{\"kind\":\"extract\",\"name\":\"images\",\"version\":\"1.0.0\","
    "\"description\":\"Measures the images that a beacon shows, and clicks on images, by image and slot; and points of its config.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"shown\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    TEXT_SETTING("field", "the field with the array of images; default images") ","
    TEXT_SETTING("image", "the key of an image's name, where the array has objects; default id") ","
    TEXT_SETTING("slot", "the key of the place where it is shown; default slot") "}},"
    "\"clicked\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    TEXT_SETTING("field", "the field that says that a beacon is a click; default type") ","
    "\"is\":{\"type\":\"string\",\"description\":\"its value then; default click\"},"
    TEXT_SETTING("image", "the field with the image that was clicked; default img.id") ","
    TEXT_SETTING("slot", "the field with its slot; default img.slot") "}}," POINTS_FIELD "," POINTS_SCHEMA("64") "}},"
    "\"defaults\":{\"fields\":[{\"name\":\"images\",\"type\":\"json\"},{\"name\":\"type\",\"type\":\"str\"},{\"name\":\"img.id\",\"type\":\"str\"},{\"name\":\"img.slot\",\"type\":\"str\"}],"
    "\"points\":[{\"name\":\"impression\",\"attributes\":[\"image\",\"slot\"]},{\"name\":\"image_click\",\"attributes\":[\"image\",\"slot\"]}],"
    "\"counters\":[\"without_image\",\"not_measured\"]}}";

enum { IMPRESSION, CLICK, FIRST_OF_CONFIG }; /* points */
enum { WITHOUT_IMAGE, NOT_MEASURED };        /* counters */
enum { MOST = 256, TEXT = 4096 };            /* measurements of a beacon; bytes of a text with escapes */

static ph_u16 shown_field, type_field, image_field, slot_field; /* columns */
static ph_text image_key, slot_key, is;
static ph_text plan;

static ph_text setting(ph_text object, ph_text key, ph_text otherwise) {
  ph_text v = ph_get(object, key);
  return v.len ? ph_string(v) : otherwise;
}

static int ph_configure(ph_text config, ph_text data) {
  (void)data;
  ph_text shown = ph_get(config, PH_TEXT("shown")), clicked = ph_get(config, PH_TEXT("clicked"));
  image_key = setting(shown, PH_TEXT("image"), PH_TEXT("id"));
  slot_key = setting(shown, PH_TEXT("slot"), PH_TEXT("slot"));
  is = setting(clicked, PH_TEXT("is"), PH_TEXT("click"));
  shown_field = column_of(setting(shown, PH_TEXT("field"), PH_TEXT("images")), JSONS);
  type_field = column_of(setting(clicked, PH_TEXT("field"), PH_TEXT("type")), TEXTS);
  image_field = column_of(setting(clicked, PH_TEXT("image"), PH_TEXT("img.id")), TEXTS);
  slot_field = column_of(setting(clicked, PH_TEXT("slot"), PH_TEXT("img.slot")), TEXTS);
  int err = points_configure(config);
  if (err) return err;
  for (ph_u32 i = 0; i < points_distinct; i++)
    if (ph_equal(point_names[i], PH_TEXT("impression")) || ph_equal(point_names[i], PH_TEXT("image_click")))
      return ph_fail("points: impression and image_click are there already: give yours another name");
  ph_buf b = {0};
  ph_puts(&b, "{\"fields\":[");
  put_fields(&b);
  ph_puts(&b, "],\"points\":[{\"name\":\"impression\",\"attributes\":[\"image\",\"slot\"]},{\"name\":\"image_click\",\"attributes\":[\"image\",\"slot\"]}");
  if (points_distinct) ph_puts(&b, ",");
  put_points(&b);
  ph_puts(&b, "],\"counters\":[\"without_image\",\"not_measured\"]}");
  plan = ph_done(&b);
  return PH_OK;
}

static ph_text ph_plan(void) { return plan; }

static char unquoted[TEXT];

/* text_of is the text of a JSON string or number; none of anything else, and of a
 * text with escapes that is too long. */
static ph_text text_of(ph_text v) {
  if (v.len && (v.at[0] == '-' || (v.at[0] >= '0' && v.at[0] <= '9'))) return v;
  return v.len > TEXT && ph_escaped(v) ? (ph_text){0, 0} : ph_unquote(v, unquoted);
}

/* kept is a text that lasts: one with escapes is copied into the batch. */
static ph_text kept(const ph_batch *b, ph_text t) { return t.at == unquoted ? ph_copy(b, t) : t; }

static void measure(const ph_batch *b, ph_u32 row, ph_u32 point, ph_text image, ph_text slot) {
  ph_u32 tuple = 0;
  if (image.len || slot.len) {
    tuple = ph_tuple(b);
    ph_set(b, tuple, 0, image);
    ph_set(b, tuple, 1, slot);
  }
  ph_measure(b, row, point, 1, tuple);
}

/* shown measures one element of the array; it tells whether it has an image. */
static int shown(const ph_batch *b, ph_u32 row, ph_text element) {
  ph_text name = {0, 0}, place = {0, 0}, key, value;
  if (element.at[0] != '{') name = element;
  else
    for (ph_u32 at = 0; ph_next(element, &at, &key, &value);) {
      ph_text k = text_of(key);
      if (ph_equal(k, image_key)) name = value;
      if (ph_equal(k, slot_key)) place = value;
    }
  ph_text image = text_of(name);
  if (!image.len) return 0;
  image = kept(b, image);
  measure(b, row, IMPRESSION, image, kept(b, text_of(place)));
  return 1;
}

static int ph_process(const ph_batch *b) {
  const ph_column *images = ph_col(b, shown_field), *type = ph_col(b, type_field);
  const ph_u32 most = MOST - 1 - points_count; /* impressions of a beacon */
  points_begin(b);
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_text array = ph_entry(b, images, row), element;
    ph_u32 n = 0;
    if (ph_valid(b, images, row) && array.at[0] == '[')
      for (ph_u32 at = 0; ph_next(array, &at, 0, &element);) {
        if (n == most) ph_count(b, NOT_MEASURED, 1);
        else if (shown(b, row, element)) n++;
        else ph_count(b, WITHOUT_IMAGE, 1);
      }
    if (ph_valid(b, type, row) && ph_equal(ph_entry(b, type, row), is)) {
      ph_text image = ph_entry(b, ph_col(b, image_field), row);
      if (!image.len) ph_count(b, WITHOUT_IMAGE, 1);
      measure(b, row, CLICK, image, ph_entry(b, ph_col(b, slot_field), row));
    }
    points_measure(b, row, FIRST_OF_CONFIG);
  }
  return ph_measured(b);
}
