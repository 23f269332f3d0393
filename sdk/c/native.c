/* native.c: makes a plugin in C a native program that answers as its module does, so
 * that the same test runs both, and sanitizers and debuggers can look on:
 *   clang -g -fsanitize=undefined -fsanitize-trap=undefined -o NAME NAME.c native.c
 *
 * The program is asked on stdin and answers on stdout until stdin ends. A question is
 * three things: what is asked (u32), a number of bytes (u32), the bytes. An answer is
 * a code (u32), a number of bytes (u32), the bytes. Integers are little-endian.
 *
 *   1 manifest    its text; the code is 1 if the plugin has a close function
 *   2 data        a data file; its address (u64), which the config has as "ptr"
 *   3 configure   the config (abi/SPEC.md, section 2); the code that the plugin
 *                 returned, and where that is not 0 the text of the error
 *   4 plan        its text
 *   5 process     a batch; the code, and the batch as it was left or, where the code
 *   6 close       is neither 0 nor 1, the text of the error
 *
 * Behind what the plugin is given, and what it takes from ph_new, is nothing for a
 * megabyte: it dies where it reads or writes there. */
#ifndef __wasm__ /* where all sources of a folder are built into a module */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What pharos.h gives a native program. */
typedef struct { const char *at; unsigned int len; } ph_text;
extern ph_text ph_export_manifest(void), ph_export_plan(void), ph_export_error(void);
extern void *ph_export_alloc(unsigned int size, unsigned int align);
extern unsigned int ph_export_configure(const char *at, unsigned int len), ph_export_process(const void *batch);
extern unsigned int ph_export_close(const void *batch) __attribute__((weak));

enum { MANIFEST = 1, DATA, CONFIGURE, PLAN, PROCESS, CLOSE };

static void die(const char *why) {
  fprintf(stderr, "%s\n", why);
  exit(1);
}

static const size_t nothing = 1 << 20; /* bytes behind each block that cannot be touched */

/* pages is how many bytes the pages of size bytes have. */
static size_t pages(size_t size, size_t page) { return (size + page - 1) / page * page; }

/* ph_room gives the address of size bytes of zero, a multiple of 8; at the next one
 * behind them there is nothing. */
unsigned long ph_room(unsigned int size) {
  size_t all = pages(size, (size_t)sysconf(_SC_PAGESIZE));
  char *at = mmap(0, all + nothing, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED || mprotect(at, all, PROT_READ | PROT_WRITE)) return 0;
  return (unsigned long)(at + all - (((size_t)size + 7) & ~(size_t)7));
}

static void give_back(char *at, unsigned int size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  munmap((char *)((unsigned long)at & ~(page - 1)), pages(size, page) + nothing);
}

/* take reads size bytes to an address, unless stdin has ended. */
static int take(void *to, size_t size) { return size == 0 || fread(to, size, 1, stdin) == 1; }

static void answer(unsigned int code, const void *at, unsigned int len) {
  unsigned int head[] = {code, len};
  if (fwrite(head, sizeof head, 1, stdout) != 1 || (len && fwrite(at, len, 1, stdout) != 1) || fflush(stdout)) die("stdout is closed");
}

static void answer_text(unsigned int code, ph_text text) { answer(code, text.at, text.len); }

static void data(unsigned int size) {
  unsigned long at = ph_room(size);
  if (!at || !take((void *)at, size)) die("a data file that is not whole");
  answer(0, &at, sizeof at);
}

static void configure(unsigned int size) {
  unsigned long at = ph_room(size) + (-size & 7); /* text ends at its last byte */
  if (!at || !take((void *)at, size)) die("a config that is not whole");
  unsigned int code = ph_export_configure((const char *)at, size);
  answer_text(code, code ? ph_export_error() : (ph_text){0, 0});
}

static void ask(unsigned int (*about)(const void *), unsigned int size) {
  char *at = ph_export_alloc(size, 8);
  if (!at || !take(at, size)) die("a batch that is not whole");
  unsigned int code = about(at);
  if (code > 1)
    answer_text(code, ph_export_error());
  else
    answer(code, at, size);
  give_back(at, size);
}

int main(void) {
  for (unsigned int head[2]; take(head, sizeof head);) {
    switch (head[0]) {
    case MANIFEST: answer_text(ph_export_close != 0, ph_export_manifest()); break;
    case DATA: data(head[1]); break;
    case CONFIGURE: configure(head[1]); break;
    case PLAN: answer_text(0, ph_export_plan()); break;
    case PROCESS: ask(ph_export_process, head[1]); break;
    case CLOSE:
      if (!ph_export_close) die("there is no close function");
      ask(ph_export_close, head[1]);
      break;
    default: die("what is asked is 1 to 6");
    }
  }
  return 0;
}
#endif
