/* platform: sends rows to a web or a mobile route, by a field that says the
 * platform, else by the user agent. */
#include "../../sdk/c/pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"split\",\"name\":\"platform\",\"version\":\"1.0.0\","
    "\"description\":\"Splits web from mobile, by a field or by the user agent.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"field\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the field with the platform; default platform\"},"
    "\"agent\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the field with the user agent; default agent\"},"
    "\"mobile\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"values of the field that are mobile; default ios, android, mobile, tablet\"},"
    "\"web\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"values of the field that are web; default web, desktop\"},"
    "\"routes\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"web\":{\"type\":\"string\",\"minLength\":1},\"mobile\":{\"type\":\"string\",\"minLength\":1}},"
    "\"description\":\"names of the routes; default web and mobile\"}}},"
    "\"defaults\":{\"fields\":[{\"name\":\"platform\",\"type\":\"str\",\"dict\":true},{\"name\":\"agent\",\"type\":\"str\",\"dict\":true}],\"routes\":[\"web\",\"mobile\"]}}";

enum { WEB = 0, MOBILE = 1 };

/* What mobile user agents contain, lower-case. */
static const char *const mobile_agents[] = {"mobi", "android", "iphone", "ipad", "ipod", "windows phone", "opera mini", "kindle", "silk/"};

typedef struct { ph_text *at; ph_u32 len; } names;

static names values[2];
static ph_text plan;

static names list(ph_text array, const char *const *absent) {
  names n = {0};
  ph_text v;
  ph_u32 count = 0;
  if (!array.len) {
    while (absent[count]) count++;
    n.at = ph_new(count * sizeof *n.at);
    for (; n.len < count; n.len++) {
      ph_u32 len = 0;
      while (absent[n.len][len]) len++;
      n.at[n.len] = (ph_text){absent[n.len], len};
    }
    return n;
  }
  for (ph_u32 at = 0; ph_next(array, &at, 0, &v);) count++;
  n.at = ph_new(count * sizeof *n.at);
  for (ph_u32 at = 0; ph_next(array, &at, 0, &v);) n.at[n.len++] = ph_string(v);
  return n;
}

static void put_name(ph_buf *b, ph_text given, ph_text absent) { ph_put_quoted(b, given.len ? ph_string(given) : absent); }

static int ph_configure(ph_text config, ph_text data) {
  static const char *const mobile[] = {"ios", "android", "mobile", "tablet", 0}, *const web[] = {"web", "desktop", 0};
  (void)data;
  values[MOBILE] = list(ph_get(config, PH_TEXT("mobile")), mobile);
  values[WEB] = list(ph_get(config, PH_TEXT("web")), web);
  ph_text routes = ph_get(config, PH_TEXT("routes"));
  ph_buf b = {0};
  ph_puts(&b, "{\"fields\":[{\"name\":");
  put_name(&b, ph_get(config, PH_TEXT("field")), PH_TEXT("platform"));
  ph_puts(&b, ",\"type\":\"str\",\"dict\":true},{\"name\":");
  put_name(&b, ph_get(config, PH_TEXT("agent")), PH_TEXT("agent"));
  ph_puts(&b, ",\"type\":\"str\",\"dict\":true}],\"routes\":[");
  put_name(&b, ph_get(routes, PH_TEXT("web")), PH_TEXT("web"));
  ph_puts(&b, ",");
  put_name(&b, ph_get(routes, PH_TEXT("mobile")), PH_TEXT("mobile"));
  ph_puts(&b, "]}");
  plan = ph_done(&b);
  return PH_OK;
}

static ph_text ph_plan(void) { return plan; }

static int contains(ph_text s, const char *name) {
  for (ph_u32 i = 0; i < s.len; i++) {
    ph_u32 k = 0;
    while (name[k] && i + k < s.len && ph_lower(s.at[i + k]) == name[k]) k++;
    if (!name[k]) return 1;
  }
  return 0;
}

static ph_u16 by_value(ph_text platform) {
  for (ph_u16 route = WEB; route <= MOBILE; route++)
    for (ph_u32 i = 0; i < values[route].len; i++)
      if (ph_equal(platform, values[route].at[i])) return route;
  return PH_NO_ROUTE;
}

static ph_u16 by_agent(ph_text agent) {
  if (!agent.len) return PH_NO_ROUTE;
  for (ph_u32 i = 0; i < sizeof mobile_agents / sizeof *mobile_agents; i++)
    if (contains(agent, mobile_agents[i])) return MOBILE;
  return WEB;
}

enum { ENTRIES = 65536 };
static ph_u16 of_platform[ENTRIES], of_agent[ENTRIES]; /* by the codes of the batch */

static int ph_process(const ph_batch *b) {
  const ph_column *platform = ph_col(b, 0), *agent = ph_col(b, 1);
  if (platform->entries > ENTRIES || agent->entries > ENTRIES) return ph_fail("more distinct values than rows");
  for (ph_u32 i = 0; i < platform->entries; i++) of_platform[i] = by_value(ph_entry(b, platform, i));
  for (ph_u32 i = 0; i < agent->entries; i++) of_agent[i] = by_agent(ph_entry(b, agent, i));
  const ph_u32 *platforms = ph_codes(b, platform), *agents = ph_codes(b, agent);
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_u16 route = ph_valid(b, platform, row) ? of_platform[platforms[row]] : PH_NO_ROUTE;
    if (route == PH_NO_ROUTE && ph_valid(b, agent, row)) route = of_agent[agents[row]];
    if (route != PH_NO_ROUTE) ph_route(b, row, route);
  }
  return PH_OK;
}
