import { Slice, address, length, slice } from "./slice";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * A JSON value: of the config, or of a json column. It is valid, so it is read without a check; what is asked of a value of
 * another kind is empty.
 */
@final
export class Json {
  private at: usize;
  private end: usize;

  constructor(raw: Slice) {
    this.at = space(address(raw), address(raw) + length(raw));
    this.end = skip(this.at, address(raw) + length(raw));
  }

  /** The value as it is written. */
  get raw(): Slice {
    return slice(this.at, u32(this.end - this.at));
  }

  private get first(): u8 {
    return this.at < this.end ? load<u8>(this.at) : 0;
  }

  get isNull(): bool {
    return this.first == 0x6e;
  }

  get isBool(): bool {
    return this.first == 0x74 || this.first == 0x66;
  }

  get isNumber(): bool {
    return this.first == 0x2d || (this.first >= 0x30 && this.first <= 0x39);
  }

  get isString(): bool {
    return this.first == QUOTE;
  }

  get isArray(): bool {
    return this.first == 0x5b;
  }

  get isObject(): bool {
    return this.first == 0x7b;
  }

  /** Tells whether it is true. */
  bool(): bool {
    return this.first == 0x74;
  }

  /**
   * A number, 0 of what is none. It is exact up to 15 digits and exponents of 22; beyond, the last bits may differ from the
   * nearest double.
   */
  number(): f64 {
    return this.isNumber ? parse(this.at, this.end) : 0;
  }

  /** The content of a string; empty of what is none. */
  string(): string {
    if (!this.isString) return "";
    if (!escaped(this.at, this.end)) return String.UTF8.decodeUnsafe(this.at + 1, this.end - this.at - 2);
    const buffer = new ArrayBuffer(i32(this.end - this.at));
    return String.UTF8.decodeUnsafe(changetype<usize>(buffer), decode(this.at, this.end, changetype<usize>(buffer)));
  }

  /** The content of a string as bytes. If there are escapes in it, it is copied for good: so in configure only. */
  slice(): Slice {
    if (!this.isString) return 0;
    if (!escaped(this.at, this.end)) return slice(this.at + 1, u32(this.end - this.at - 2));
    const to = heap.alloc(this.end - this.at);
    return slice(to, decode(this.at, this.end, to));
  }

  /** The value of a key of an object, of a repeated key the last; null if there is none. */
  get(key: string): Json | null {
    let found: Json | null = null;
    if (!this.isObject) return null;
    for (let m = next(this.at + 1, this.end); m; ) {
      const v = next(m.end, this.end)!;
      if (m.string() == key) found = v;
      m = next(v.end, this.end);
    }
    return found;
  }

  /** The elements of an array. */
  elements(): Json[] {
    const all: Json[] = [];
    if (!this.isArray) return all;
    for (let e = next(this.at + 1, this.end); e; ) {
      all.push(e);
      e = next(e.end, this.end);
    }
    return all;
  }

  /** The keys of an object, in their order. */
  keys(): string[] {
    const all: string[] = [];
    if (!this.isObject) return all;
    for (let m = next(this.at + 1, this.end); m; ) {
      all.push(m.string());
      m = next(next(m.end, this.end)!.end, this.end);
    }
    return all;
  }
}

/** The next value of a container, behind a comma or colon if there is one; null at its end. */
function next(at: usize, end: usize): Json | null {
  at = space(at, end);
  if (at < end && (load<u8>(at) == 0x2c || load<u8>(at) == 0x3a)) at = space(at + 1, end);
  if (at >= end || load<u8>(at) == 0x7d || load<u8>(at) == 0x5d) return null;
  return new Json(slice(at, u32(end - at)));
}

function isSpace(c: u8): bool {
  return c == 0x20 || c == 0x09 || c == 0x0a || c == 0x0d;
}

function space(at: usize, end: usize): usize {
  while (at < end && isSpace(load<u8>(at))) at++;
  return at;
}

/** The end of the value that begins at a place. */
function skip(at: usize, end: usize): usize {
  let depth = 0;
  while (at < end) {
    const c = load<u8>(at);
    if (c == QUOTE) {
      at = stringEnd(at, end);
    } else if (c == 0x7b || c == 0x5b) {
      depth++;
      at++;
    } else if (c == 0x7d || c == 0x5d) {
      depth--;
      at++;
    } else if (depth == 0) {
      return wordEnd(at, end);
    } else {
      at++;
    }
    if (depth <= 0) break;
  }
  return at;
}

function stringEnd(at: usize, end: usize): usize {
  for (at++; at < end; at++) {
    const c = load<u8>(at);
    if (c == QUOTE) return at + 1;
    if (c == BACKSLASH) at++;
  }
  return end;
}

function wordEnd(at: usize, end: usize): usize {
  for (; at < end; at++) {
    const c = load<u8>(at);
    if (c == 0x2c || c == 0x7d || c == 0x5d || isSpace(c)) break;
  }
  return at;
}

function escaped(at: usize, end: usize): bool {
  for (; at < end; at++) {
    if (load<u8>(at) == BACKSLASH) return true;
  }
  return false;
}

/** Decodes a string to memory with room for it as written, and gives the number of bytes. */
function decode(at: usize, end: usize, to: usize): u32 {
  const from = to;
  for (at++; at < end - 1; at++) {
    let c: u32 = load<u8>(at);
    if (c != BACKSLASH) {
      store<u8>(to++, u8(c));
      continue;
    }
    c = load<u8>(++at);
    if (c != 0x75) {
      store<u8>(to++, unescape(u8(c)));
      continue;
    }
    c = hex(at + 1);
    at += 4;
    if (c >> 10 == 0x36 && at + 6 < end && load<u8>(at, 1) == BACKSLASH && load<u8>(at, 2) == 0x75) {
      const low = hex(at + 3);
      if (low >> 10 == 0x37) {
        c = 0x10000 + (((c & 0x3ff) << 10) | (low & 0x3ff));
        at += 6;
      }
    }
    to = put(c >> 11 == 0x1b ? 0xfffd : c, to); // half of a pair is no character
  }
  return u32(to - from);
}

function unescape(c: u8): u8 {
  switch (c) {
    case 0x6e: return 0x0a;
    case 0x74: return 0x09;
    case 0x72: return 0x0d;
    case 0x62: return 0x08;
    case 0x66: return 0x0c;
    default: return c;
  }
}

function hex(at: usize): u32 {
  let n: u32 = 0;
  for (let i: usize = 0; i < 4; i++) {
    const c: u32 = load<u8>(at + i);
    n = (n << 4) | (c <= 0x39 ? c - 0x30 : (c | 32) - 0x57);
  }
  return n;
}

/** Writes a character as UTF-8 and gives the place behind it. */
function put(c: u32, to: usize): usize {
  if (c < 0x80) {
    store<u8>(to++, u8(c));
    return to;
  }
  if (c < 0x800) {
    store<u8>(to++, u8(0xc0 | (c >> 6)));
  } else {
    if (c < 0x10000) {
      store<u8>(to++, u8(0xe0 | (c >> 12)));
    } else {
      store<u8>(to++, u8(0xf0 | (c >> 18)));
      store<u8>(to++, u8(0x80 | ((c >> 12) & 63)));
    }
    store<u8>(to++, u8(0x80 | ((c >> 6) & 63)));
  }
  store<u8>(to++, u8(0x80 | (c & 63)));
  return to;
}

function isDigit(c: u8): bool {
  return c >= 0x30 && c <= 0x39;
}

/** The value of a number: its first 19 digits, and a power of ten. */
function parse(at: usize, end: usize): f64 {
  const minus = load<u8>(at) == 0x2d;
  let digits: u64 = 0;
  let scale = 0;
  let point = 0;
  for (at += usize(minus); at < end && (isDigit(load<u8>(at)) || load<u8>(at) == 0x2e); at++) {
    if (load<u8>(at) == 0x2e) {
      point = 1;
      continue;
    }
    const room = i32(digits < 1000000000000000000);
    if (room) digits = digits * 10 + (load<u8>(at) - 0x30);
    scale += 1 - room - point;
  }
  if (at < end && (load<u8>(at) | 32) == 0x65) {
    at++;
    const down = load<u8>(at) == 0x2d;
    let exponent = 0;
    for (at += usize(down || load<u8>(at) == 0x2b); at < end && isDigit(load<u8>(at)); at++) {
      if (exponent < 100000) exponent = exponent * 10 + (load<u8>(at) - 0x30);
    }
    scale += down ? -exponent : exponent;
  }
  const n = power(f64(digits), digits == 0 ? 0 : scale);
  return minus ? -n : n;
}

/** n * 10^scale: in one step, which is exact, as far as it goes. */
function power(n: f64, scale: i32): f64 {
  let far = min(abs(scale), 800);
  for (; far > 22; far -= 22) n = scale < 0 ? n / 1e22 : n * 1e22;
  let ten = 1.0;
  for (; far > 0; far--) ten *= 10;
  return scale < 0 ? n / ten : n * ten;
}
