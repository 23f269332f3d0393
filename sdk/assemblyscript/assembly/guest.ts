import { Batch } from "./batch";

const DONE: u32 = 0;
const TOO_SMALL: u32 = 1;
const FAILED: u32 = 2;

let configured = false;
let arena: usize = 0;
let size: u32 = 0;

// Texts that the host was given pointers to, kept from the garbage collector.
let given: ArrayBuffer = new ArrayBuffer(0);
let error: string = "";

/** Gives the host a text. */
export function give(text: string): u64 {
  given = String.UTF8.encode(text);
  return (u64(changetype<usize>(given)) << 32) | given.byteLength;
}

/**
 * A block for the host, in pages of its own: the first is for good, later ones are the arena, which is used over and over. 0
 * if there is no memory.
 */
export function alloc(want: u32): usize {
  if (!configured) return pages(want);
  if (want <= size) return arena;
  const end = usize(memory.size()) << 16;
  if (arena != 0 && arena + size == end) {
    if (pages(want - size) == 0) return 0;
  } else {
    // The heap has grown behind it. With room to spare, so that not every larger batch moves it: nobody gets its pages.
    let to = pages(2 * u64(want));
    if (to == 0) to = pages(want);
    if (to == 0) return 0;
    arena = to;
  }
  size = u32((usize(memory.size()) << 16) - arena);
  return arena;
}

/** Grows the memory and gives where the new pages begin, 0 if there are no more. */
function pages(bytes: u64): usize {
  if (bytes > u64(1) << 31) return 0;
  const before = memory.grow(i32((bytes + 0xffff) >> 16));
  return before < 0 ? 0 : usize(before) << 16;
}

export function accept(): u32 {
  configured = true;
  return DONE;
}

export function fail(text: string): u32 {
  error = text;
  return FAILED;
}

export function lastError(): string {
  return error;
}

/** What the host is told of a batch. */
export function answer(batch: Batch, error: string | null): u32 {
  if (error) return fail(error);
  return batch.fitted() ? DONE : TOO_SMALL;
}
