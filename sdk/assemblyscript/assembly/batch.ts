import { Column } from "./column";
import { Slice, address, length, slice } from "./slice";

// Columns of the batch at hand, used again and again: a plan has at most 256 fields.
const columns: usize = heap.alloc(256 * offsetof<Column>());

/**
 * The batch of one call: it lies over the header that abi/SPEC.md describes. An index that is out of range is a trap.
 */
@unmanaged
export class Batch {
  private size: u32;
  private kind: u32;
  /** Number of rows. */
  readonly rows: u32;
  private columns: u32;
  private columnsAt: u32;
  private counters: u32;
  private countersAt: u32;
  private cells: u32;
  private cellsAt: u32;
  private slots: u32;
  private slotsAt: u32;
  private keepAt: u32;
  private reasonsAt: u32;
  private routesAt: u32;
  private measurementsAt: u32;
  private measurementsCap: u32;
  private measurements: u32;
  private tupleWidth: u32;
  private tuplesAt: u32;
  private tuplesCap: u32;
  private tuples: u32;
  private textAt: u32;
  private textCap: u32;
  private texts: u32;

  // @ts-ignore: decorator
  @inline
  private at(position: u32): usize {
    return changetype<usize>(this) + position;
  }

  // @ts-ignore: decorator
  @inline
  private check(row: u32): void {
    if (row >= this.rows) unreachable();
  }

  /** Column i of the plan's fields. It is valid during the call. */
  column(i: u32): Column {
    if (i >= this.columns) unreachable();
    const descriptor = this.at(this.columnsAt) + (i << 5);
    const c = changetype<Column>(columns + i * offsetof<Column>());
    c.rows = this.rows;
    c.dict = (load<u32>(descriptor, 4) & 1) != 0;
    c.valids = this.at(load<u32>(descriptor, 8));
    c.data = this.at(load<u32>(descriptor, 12));
    c.entries = load<u32>(descriptor, 16);
    c.offsets = this.at(load<u32>(descriptor, 20));
    c.bytes = this.at(load<u32>(descriptor, 24));
    return c;
  }

  /** Keeps a row (filter). A row that is not kept is dropped. */
  // @ts-ignore: decorator
  @inline
  keep(row: u32): void {
    this.check(row);
    const at = this.at(this.keepAt) + (row >> 3);
    store<u8>(at, load<u8>(at) | (u8(1) << u8(row & 7)));
  }

  /** Gives the reason, an index in the plan, why a row is dropped (filter). */
  // @ts-ignore: decorator
  @inline
  drop(row: u32, reason: u32): void {
    this.check(row);
    store<u8>(this.at(this.reasonsAt) + row, u8(reason));
  }

  /** Sends a row to a route, an index in the plan (splitter). About a row that is sent nowhere the plugin has no opinion. */
  // @ts-ignore: decorator
  @inline
  route(row: u32, route: u32): void {
    this.check(row);
    store<u16>(this.at(this.routesAt) + (row << 1), u16(route));
  }

  /** Adds n to a counter, an index in the plan. */
  // @ts-ignore: decorator
  @inline
  count(counter: u32, n: u64 = 1): void {
    if (counter >= this.counters) unreachable();
    const at = this.at(this.countersAt) + (counter << 3);
    store<u64>(at, load<u64>(at) + n);
  }

  /**
   * Adds a measurement of a point, an index in the plan (extractor). Rows must not fall from call to call. NaN is a value
   * that is no number. attributes is 0 for none, or what tuple gave.
   */
  // @ts-ignore: decorator
  @inline
  measure(row: u32, point: u32, value: f64 = 1, attributes: u32 = 0): void {
    if (this.measurements < this.measurementsCap) {
      const at = this.at(this.measurementsAt) + this.measurements * 24;
      store<u32>(at, row);
      store<u32>(at, point, 4);
      store<u32>(at, attributes, 8);
      store<u32>(at, 0, 12);
      store<f64>(at, value, 16);
    }
    this.measurements++;
  }

  /** Adds a tuple of attributes without values, for set and measure. */
  // @ts-ignore: decorator
  @inline
  tuple(): u32 {
    if (this.tuples < this.tuplesCap) {
      const at = this.at(this.tuplesAt) + this.tuples * (this.tupleWidth << 3);
      for (let i: u32 = 0; i < this.tupleWidth; i++) store<u64>(at + (i << 3), 0); // few: quicker than memory.fill
    }
    return ++this.tuples;
  }

  /** Gives a tuple the value of attribute i of the point: a text of a column, or one from copy. An empty one is none. */
  // @ts-ignore: decorator
  @inline
  set(tuple: u32, i: u32, value: Slice): void {
    if (i >= this.tupleWidth) unreachable();
    if (tuple - 1 >= this.tuplesCap || length(value) == 0) return;
    const at = this.at(this.tuplesAt) + (((tuple - 1) * this.tupleWidth + i) << 3);
    store<u32>(at, u32(address(value) - changetype<usize>(this)));
    store<u32>(at, length(value), 4);
  }

  /** Puts bytes of the plugin's own into the batch, for set. */
  copy(value: Slice): Slice {
    const at = this.reserve(length(value));
    if (at == 0) return 0; // the batch comes again
    memory.copy(at, address(value), length(value));
    return slice(at, length(value));
  }

  /** Puts a string into the batch, for set. */
  copyString(value: string): Slice {
    const len = u32(String.UTF8.byteLength(value));
    const at = this.reserve(len);
    if (at == 0) return 0; // the batch comes again
    String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, at);
    return slice(at, len);
  }

  /** Room for a text, 0 if there is none. */
  private reserve(len: u32): usize {
    const from = this.texts;
    const to = u64(from) + len;
    this.texts = u32(min<u64>(to, u32.MAX_VALUE));
    return to <= this.textCap ? this.at(this.textAt) + from : 0;
  }

  /** The value of an i64 session cell, an index in the plan, in the session of a row. */
  cellI64(cell: u32, row: u32): i64 {
    return load<i64>(this.cell(cell, row, 2));
  }

  setCellI64(cell: u32, row: u32, value: i64): void {
    store<i64>(this.cell(cell, row, 2), value);
  }

  /** The value of an f64 session cell, an index in the plan, in the session of a row. */
  cellF64(cell: u32, row: u32): f64 {
    return load<f64>(this.cell(cell, row, 3));
  }

  setCellF64(cell: u32, row: u32, value: f64): void {
    store<f64>(this.cell(cell, row, 3), value);
  }

  private cell(i: u32, row: u32, kind: u32): usize {
    this.check(row);
    const descriptor = this.at(this.cellsAt) + (i << 3);
    if (i >= this.cells || load<u32>(descriptor) != kind) unreachable();
    const slot = load<u32>(this.at(this.slotsAt) + (row << 2));
    return this.at(load<u32>(descriptor, 4)) + (slot << 3);
  }

  /** The time of the first beacon of a session that has ended, ms since 1970. This and the next two are for close. */
  first(row: u32): i64 {
    return this.ended(0, row);
  }

  /** The time of its last beacon. */
  last(row: u32): i64 {
    return this.ended(1, row);
  }

  /** How many of its measurements of a point, an index in the plan, were booked. */
  counted(row: u32, point: u32): i64 {
    return this.ended(2 + point, row);
  }

  private ended(i: u32, row: u32): i64 {
    if (this.kind != 4 || i >= this.columns) unreachable();
    this.check(row);
    return load<i64>(this.at(load<u32>(this.at(this.columnsAt) + (i << 5), 12)) + (row << 3));
  }

  /** @internal Tells whether all outputs fitted. */
  fitted(): bool {
    return this.measurements <= this.measurementsCap && this.tuples <= this.tuplesCap && this.texts <= this.textCap;
  }
}
