import { Json } from "./json";
import { Slice, equal, length, slice } from "./slice";

/** What an `any` or `kind` column holds at a row. */
export enum ValueKind {
  Missing,
  Null,
  False,
  True,
  /** A number; the text is as written. */
  Number,
  /** A string; the text is its content. */
  String,
  /** Text of a source that has no types; a number if it looks like one. */
  Untyped,
  /** An array; the text is its JSON. */
  Array,
  /** An object; the text is its JSON. */
  Object,
}

// @ts-ignore: decorator
@inline
function bit(bitmap: usize, i: u32): bool {
  return ((load<u8>(bitmap + (i >> 3)) >> u8(i & 7)) & 1) != 0;
}

/**
 * A column of a batch. A row without a value has 0, false and an empty text. What is asked for must be of the column's type
 * in the plan. A row that is not in the batch is a trap.
 */
@unmanaged
export class Column {
  /** @internal */ rows: u32;
  /** @internal */ valids: usize;
  /** @internal */ data: usize;
  /** @internal */ dict: bool;
  /** Number of texts: of rows, or of the dictionary. */
  entries: u32;
  /** @internal */ offsets: usize;
  /** @internal */ bytes: usize;

  // @ts-ignore: decorator
  @inline
  private check(row: u32): void {
    if (row >= this.rows) unreachable();
  }

  /** Tells whether a row has a value. */
  // @ts-ignore: decorator
  @inline
  valid(row: u32): bool {
    this.check(row);
    return bit(this.valids, row);
  }

  /** The value of a row of a bool column. */
  // @ts-ignore: decorator
  @inline
  bool(row: u32): bool {
    this.check(row);
    return bit(this.data, row);
  }

  /** The number of a row of an f64 column. */
  // @ts-ignore: decorator
  @inline
  f64(row: u32): f64 {
    this.check(row);
    return load<f64>(this.data + (row << 3));
  }

  /** The integer of a row of an i64 column. */
  // @ts-ignore: decorator
  @inline
  i64(row: u32): i64 {
    this.check(row);
    return load<i64>(this.data + (row << 3));
  }

  /** The text of a row of a str, json or any column, dictionary or not. It is valid during the call. */
  // @ts-ignore: decorator
  @inline
  slice(row: u32): Slice {
    if (!this.dict) return this.entry(row);
    return this.valid(row) ? this.entry(this.code(row)) : 0; // the code of no value is that of any
  }

  /** A copy of the text of a row, as a string. */
  text(row: u32): string {
    const s = this.slice(row);
    return String.UTF8.decodeUnsafe(usize(s >> 32), length(s));
  }

  /** Text i: of row i, or of the dictionary's entry i. It is valid during the call. */
  // @ts-ignore: decorator
  @inline
  entry(i: u32): Slice {
    if (i >= this.entries) unreachable();
    const at = this.offsets + (i << 2);
    const from = load<u32>(at);
    return slice(this.bytes + from, load<u32>(at, 4) - from);
  }

  /** The dictionary's entry of a row; 0 if the row has no value. */
  // @ts-ignore: decorator
  @inline
  code(row: u32): u32 {
    this.check(row);
    return load<u32>(this.data + (row << 2));
  }

  /** The dictionary's entry that is the text, -1 if this batch does not have it. */
  find(text: Slice): i32 {
    for (let i: u32 = 0; i < this.entries; i++) {
      if (equal(this.entry(i), text)) return i;
    }
    return -1;
  }

  /** The kind of a row's value in an any or kind column. */
  // @ts-ignore: decorator
  @inline
  kind(row: u32): ValueKind {
    this.check(row);
    return load<u8>(this.data + row);
  }

  /** The array or object of a row of a json column, or of an any column that has one there; null if there is none. */
  json(row: u32): Json | null {
    const s = this.slice(row);
    if (length(s) == 0) return null;
    const first = load<u8>(usize(s >> 32));
    return first == 0x5b || first == 0x7b ? new Json(s) : null;
  }
}
