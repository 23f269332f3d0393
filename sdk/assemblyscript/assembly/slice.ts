/**
 * Some bytes in memory: pointer << 32 | length. It is a plain number, so it costs nothing in a row loop; what it points to
 * stays as long as the source says: the config for good, a batch during its call. 0 is the empty one.
 */
export type Slice = u64;

// @ts-ignore: decorator
@inline
export function slice(at: usize, len: u32): Slice {
  return (u64(at) << 32) | len;
}

/** Number of bytes. */
// @ts-ignore: decorator
@inline
export function length(s: Slice): u32 {
  return u32(s);
}

// @ts-ignore: decorator
@inline
export function address(s: Slice): usize {
  return usize(s >> 32);
}

/** Tells whether both have the same bytes. */
export function equal(a: Slice, b: Slice): bool {
  return length(a) == length(b) && same(address(a), address(b), length(a));
}

/** Tells whether s begins with the prefix. */
export function hasPrefix(s: Slice, prefix: Slice): bool {
  return length(s) >= length(prefix) && same(address(s), address(prefix), length(prefix));
}

function same(a: usize, b: usize, n: u32): bool {
  for (let i: u32 = 0; i < n; i++) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
  }
  return true;
}

/** The bytes of a string, for good: make them in configure or as a constant, not for each row. */
export function utf8(s: string): Slice {
  const len = u32(String.UTF8.byteLength(s));
  const at = heap.alloc(len);
  String.UTF8.encodeUnsafe(changetype<usize>(s), s.length, at);
  return slice(at, len);
}

/** A copy as a string. */
export function text(s: Slice): string {
  return String.UTF8.decodeUnsafe(address(s), length(s));
}
