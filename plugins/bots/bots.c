/* bots: drops beacons whose user agent is of a known bot or an obvious script.
 *
 * All names, of the data file `agents`, of the config's `extra` and of scripts,
 * become one Aho-Corasick automaton over lower-cased text: an agent is read once,
 * however many names there are, and once per distinct agent of a batch. */
#include "../../sdk/c/pharos.h"

const char ph_manifest[] =
    "{\"kind\":\"filter\",\"name\":\"bots\",\"version\":\"1.0.0\","
    "\"description\":\"Drops beacons whose user agent contains the name of a known bot (data file `agents`, one a line) or of a script.\","
    "\"config\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"field\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the field with the user agent; default agent\"},"
    "\"extra\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1},\"description\":\"more names of bots\"},"
    "\"scripts\":{\"type\":\"boolean\",\"description\":\"drop scripts and libraries such as curl too; default true\"},"
    "\"missing\":{\"type\":\"boolean\",\"description\":\"drop beacons without a user agent, or with an empty one; default false\"}}},"
    "\"defaults\":{\"fields\":[{\"name\":\"agent\",\"type\":\"str\",\"dict\":true}],\"reasons\":[\"bot\",\"script\",\"no agent\"]}}";

enum { NONE = 0, BOT = 1, SCRIPT = 2, NO_AGENT = 3 }; /* reason + 1 */

static const char *const scripts[] = {
    "curl/", "wget/", "python-requests", "python-urllib", "aiohttp", "go-http-client", "java/", "apache-httpclient", "okhttp",
    "libwww-perl", "lwp::", "ruby", "php/", "guzzle", "node-fetch", "axios/", "scrapy", "mechanize", "httpclient", "headlesschrome", "phantomjs",
    "selenium", "puppeteer", "playwright", "chef client", "nikto", "sqlmap", "nmap", "zgrab", "masscan"};

static ph_text plan;
static int drop_missing;

/* The automaton: states * width transitions, and what a state has found. */
static ph_u8 class_of[256];
static ph_u32 width, states;
static ph_u16 *next_state, *queue, *suffix;
static ph_u8 *found;

enum { MAX_STATES = 65535 };

static void count_bytes(ph_text name) {
  for (ph_u32 i = 0; i < name.len; i++) {
    ph_u8 c = (ph_u8)ph_lower(name.at[i]);
    if (!class_of[c]) class_of[c] = (ph_u8)width++;
  }
}

static void add(ph_text name, ph_u8 what) {
  ph_u32 s = 0;
  for (ph_u32 i = 0; i < name.len; i++) {
    ph_u16 *to = &next_state[s * width + class_of[(ph_u8)ph_lower(name.at[i])]];
    if (!*to) *to = (ph_u16)states++; /* no more than there are bytes */
    s = *to;
  }
  if (name.len && !found[s]) found[s] = what;
}

/* close_trie turns the trie into an automaton: breadth first, a missing transition
 * becomes that of the longest proper suffix. */
static void close_trie(void) {
  ph_u32 head = 0, tail = 0;
  for (ph_u32 c = 0; c < width; c++)
    if (next_state[c]) queue[tail++] = next_state[c];
  while (head < tail) {
    ph_u32 s = queue[head++];
    ph_u8 inherited = found[suffix[s]];
    if (inherited && (!found[s] || inherited < found[s])) found[s] = inherited;
    for (ph_u32 c = 0; c < width; c++) {
      ph_u16 *to = &next_state[s * width + c], fall = next_state[suffix[s] * width + c];
      if (*to) suffix[*to] = fall, queue[tail++] = *to;
      else *to = fall;
    }
  }
}

static ph_u8 classify(ph_text agent) {
  ph_u32 s = 0;
  ph_u8 best = NONE;
  for (ph_u32 i = 0; i < agent.len; i++) {
    s = next_state[s * width + class_of[(ph_u8)ph_lower(agent.at[i])]];
    ph_u8 f = found[s];
    if (f == BOT) return BOT;
    if (f) best = f;
  }
  return best;
}

/* line gives the next line of a file that is no comment. */
static int line(ph_text file, ph_u32 *at, ph_text *out) {
  while (*at < file.len) {
    ph_u32 from = *at, to = from;
    while (to < file.len && file.at[to] != '\n') to++;
    *at = to + 1;
    while (to > from && (file.at[to - 1] == '\r' || file.at[to - 1] == ' ' || file.at[to - 1] == '\t')) to--;
    if (to == from || file.at[from] == '#') continue;
    *out = (ph_text){file.at + from, to - from};
    return 1;
  }
  return 0;
}

static ph_text c_text(const char *s) {
  ph_u32 n = 0;
  while (s[n]) n++;
  return (ph_text){s, n};
}

static int truth(ph_text v, int absent) { return v.len ? v.at[0] == 't' : absent; }

static int ph_configure(ph_text config, ph_text data) {
  ph_text file = ph_file(data, PH_TEXT("agents")), extra = ph_get(config, PH_TEXT("extra")), v, name;
  int with_scripts = truth(ph_get(config, PH_TEXT("scripts")), 1);
  drop_missing = truth(ph_get(config, PH_TEXT("missing")), 0);

  ph_u32 bytes = 1, at;
  width = 1; /* class 0: bytes that are in no name */
  for (at = 0; line(file, &at, &name);) count_bytes(name), bytes += name.len;
  for (at = 0; ph_next(extra, &at, 0, &v);) name = ph_string(v), count_bytes(name), bytes += name.len;
  if (with_scripts)
    for (ph_u32 i = 0; i < sizeof scripts / sizeof *scripts; i++) name = c_text(scripts[i]), count_bytes(name), bytes += name.len;
  if (bytes > MAX_STATES) return ph_fail("the names of bots have more than 65534 bytes together");
  next_state = ph_try_new(bytes * width * 2);
  found = next_state ? ph_try_new(bytes) : 0;
  queue = found ? ph_try_new(bytes * 2) : 0;
  suffix = queue ? ph_try_new(bytes * 2) : 0;
  if (!suffix) return ph_fail("the names of bots do not fit into the plugin's memory: raise its limit, or give fewer names");
  states = 1;
  for (at = 0; line(file, &at, &name);) add(name, BOT);
  for (at = 0; ph_next(extra, &at, 0, &v);) add(ph_string(v), BOT);
  if (with_scripts)
    for (ph_u32 i = 0; i < sizeof scripts / sizeof *scripts; i++) add(c_text(scripts[i]), SCRIPT);
  close_trie();

  ph_buf b = {0};
  v = ph_get(config, PH_TEXT("field"));
  ph_puts(&b, "{\"fields\":[{\"name\":");
  ph_put_quoted(&b, v.len ? ph_string(v) : PH_TEXT("agent"));
  ph_puts(&b, ",\"type\":\"str\",\"dict\":true}],\"reasons\":[\"bot\",\"script\",\"no agent\"]}");
  plan = ph_done(&b);
  return PH_OK;
}

static ph_text ph_plan(void) { return plan; }

/* Verdicts of a batch's distinct agents are kept here, as many as there is room for. */
enum { VERDICTS = 65536 };
static ph_u8 verdicts[VERDICTS];

static int ph_process(const ph_batch *b) {
  const ph_column *agent = ph_col(b, 0);
  const ph_u32 *code = ph_codes(b, agent);
  const ph_u8 no_agent = drop_missing ? NO_AGENT : NONE;
  if (agent->entries > VERDICTS) return ph_fail("more distinct agents than rows");
  for (ph_u32 i = 0; i < agent->entries; i++) {
    ph_text text = ph_entry(b, agent, i);
    verdicts[i] = text.len ? classify(text) : no_agent;
  }
  for (ph_u32 row = 0; row < b->rows; row++) {
    ph_u8 what = ph_valid(b, agent, row) ? verdicts[code[row]] : no_agent;
    if (what) ph_drop(b, row, what - 1);
    else ph_keep(b, row);
  }
  return PH_OK;
}
