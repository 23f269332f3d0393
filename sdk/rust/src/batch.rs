use crate::Column;
use core::cell;
use core::marker::PhantomData;
use core::slice;

const HEADER: usize = 32; // words

// Words of a batch's header.
pub(crate) const KIND: usize = 1;
pub(crate) const ROWS: usize = 2;
pub(crate) const COLUMNS: usize = 3;
pub(crate) const COLUMNS_AT: usize = 4;
pub(crate) const COUNTERS: usize = 5;
pub(crate) const COUNTERS_AT: usize = 6;
pub(crate) const CELLS: usize = 7;
pub(crate) const CELLS_AT: usize = 8;
pub(crate) const SLOTS: usize = 9;
pub(crate) const SLOTS_AT: usize = 10;
pub(crate) const KEEP_AT: usize = 11;
pub(crate) const REASONS_AT: usize = 12;
pub(crate) const ROUTES_AT: usize = 13;
pub(crate) const MEASUREMENTS_AT: usize = 14;
pub(crate) const MEASUREMENTS_CAP: usize = 15;
pub(crate) const MEASUREMENTS: usize = 16;
pub(crate) const TUPLE_WIDTH: usize = 17;
pub(crate) const TUPLES_AT: usize = 18;
pub(crate) const TUPLES_CAP: usize = 19;
pub(crate) const TUPLES: usize = 20;
pub(crate) const TEXT_AT: usize = 21;
pub(crate) const TEXT_CAP: usize = 22;
pub(crate) const TEXT: usize = 23;

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Measurement {
    pub row: u32,
    pub point: u32,
    pub attributes: u32,
    pub zero: u32,
    pub value: f64,
}

/// The batch of one call: columns to read, and what is answered. Answers are written through a shared reference, as in a
/// [`core::cell::Cell`]. An index that is out of range panics, which is a trap.
pub struct Batch<'a> {
    header: &'a [cell::Cell<u32>],
    rows: usize,
    columns: &'a [[u32; 8]],
    counters: &'a [cell::Cell<u64>],
    cells: &'a [[u32; 2]],
    slots: &'a [u32],
    keep: *const cell::Cell<u8>,
    kept: usize, // rows that have a bit there
    reasons: &'a [cell::Cell<u8>],
    routes: &'a [cell::Cell<u16>],
    measurements: &'a [cell::Cell<Measurement>],
    measured: cell::Cell<u32>, // needed, which may be more than there is room for
    tuples: &'a [cell::Cell<[u32; 2]>],
    text: &'a [cell::Cell<u8>],
}

impl<'a> Batch<'a> {
    /// # Safety
    /// What lies at `at`, a multiple of 8, is a batch of the kind, laid out as abi/SPEC.md says, and only used through the
    /// batch as long as that lives.
    #[inline(always)]
    pub(crate) unsafe fn new(at: *mut u8, kind: usize) -> Self {
        let header: &[cell::Cell<u32>] = slice::from_raw_parts(at.cast(), HEADER);
        let word = |i: usize| header[i].get() as usize;
        let rows = word(ROWS);
        let of = |this: usize, n: usize| if this == kind { n } else { 0 };
        let cap = |i: usize| if kind >= 3 { word(i) } else { 0 };
        Batch {
            header,
            rows,
            columns: area(at, word(COLUMNS_AT), word(COLUMNS)),
            counters: area(at, word(COUNTERS_AT), word(COUNTERS)),
            cells: area(at, word(CELLS_AT), word(CELLS)),
            slots: area(at, word(SLOTS_AT), if word(CELLS) > 0 { rows } else { 0 }),
            keep: at.add(word(KEEP_AT)).cast(),
            kept: of(1, rows),
            reasons: area(at, word(REASONS_AT), of(1, rows)),
            routes: area(at, word(ROUTES_AT), of(2, rows)),
            measurements: area(at, word(MEASUREMENTS_AT), cap(MEASUREMENTS_CAP)),
            measured: cell::Cell::new(0),
            tuples: area(at, word(TUPLES_AT), cap(TUPLES_CAP) * word(TUPLE_WIDTH)),
            text: area(at, word(TEXT_AT), cap(TEXT_CAP)),
        }
    }

    fn base(&self) -> *mut u8 {
        self.header.as_ptr() as *mut u8
    }

    fn word(&self, i: usize) -> usize {
        self.header[i].get() as usize
    }

    /// Number of rows.
    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Column i of the plan's fields.
    #[inline(always)]
    pub fn column(&self, i: usize) -> Column<'a> {
        let [kind, flags, valid_at, data_at, entries, offsets_at, bytes_at, _] = self.columns[i];
        let (rows, bitmap) = (self.rows, (self.rows + 7) / 8);
        let if_of = |kinds: bool, n: usize| if kinds { n } else { 0 };
        let texts = matches!(kind, 1 | 5 | 6);
        // What a descriptor says lies in the batch, which lives as long as 'a.
        unsafe {
            let (base, data_at) = (self.base(), data_at as usize);
            Column {
                rows,
                valid: base.add(valid_at as usize),
                bits: area(base, data_at, if_of(kind == 4, bitmap)),
                kinds: area(base, data_at, if_of(kind == 6 || kind == 7, rows)),
                codes: area(base, data_at, if_of(flags & 1 != 0, rows)),
                ints: area(base, data_at, if_of(kind == 2, rows)),
                floats: area(base, data_at, if_of(kind == 3, rows)),
                entries: if_of(texts, entries as usize),
                offsets: base.add(offsets_at as usize).cast(),
                bytes: base.add(bytes_at as usize),
                batch: PhantomData,
            }
        }
    }

    /// Keeps a row (filter). A row that is not kept is dropped.
    #[inline(always)]
    pub fn keep(&self, row: usize) {
        assert!(row < self.kept); // in a loop over all rows a compiler sees that
        let byte = unsafe { &*self.keep.add(row >> 3) };
        byte.set(byte.get() | 1 << (row & 7));
    }

    /// Gives the reason, an index in the plan, why a row is dropped (filter).
    #[inline(always)]
    pub fn drop(&self, row: usize, reason: usize) {
        self.reasons[row].set(reason as u8);
    }

    /// Sends a row to a route, an index in the plan (splitter). About a row that is sent nowhere the plugin has no
    /// opinion.
    #[inline(always)]
    pub fn route(&self, row: usize, route: usize) {
        self.routes[row].set(route as u16);
    }

    /// Adds n to a counter, an index in the plan.
    #[inline]
    pub fn count(&self, counter: usize, n: u64) {
        let c = &self.counters[counter];
        c.set(c.get() + n);
    }

    /// Adds a measurement of a point, an index in the plan (extractor). Rows must not fall from call to call. NaN is a
    /// value that is no number. Attributes are in the order of the point's; an empty one is none. A text of a column is
    /// not copied.
    #[inline]
    pub fn measure(&self, row: usize, point: usize, value: f64, attributes: &[&[u8]]) {
        let attributes = if attributes.iter().all(|a| a.is_empty()) { 0 } else { self.tuple(attributes) };
        let n = self.measured.get();
        if let Some(m) = self.measurements.get(n as usize) {
            m.set(Measurement { row: row as u32, point: point as u32, attributes, zero: 0, value });
        }
        self.measured.set(n.saturating_add(1));
    }

    /// Writes a tuple and gives 1 + its index. Where there is no room it only counts.
    fn tuple(&self, attributes: &[&[u8]]) -> u32 {
        let width = self.word(TUPLE_WIDTH);
        assert!(attributes.len() <= width, "more attributes than any point of the plan has");
        let n = self.word(TUPLES);
        self.header[TUPLES].set(n as u32 + 1);
        let tuple = self.tuples.get(n * width..(n + 1) * width);
        for i in 0..width {
            let value = match attributes.get(i) {
                Some(text) if !text.is_empty() => match self.position(text).or_else(|| self.copy(text)) {
                    Some(at) => [at, text.len() as u32],
                    None => [0, 0], // the batch comes again
                },
                _ => [0, 0],
            };
            if let Some(tuple) = tuple {
                tuple[i].set(value);
            }
        }
        n as u32 + 1
    }

    /// Where in the batch a text lies, if it does.
    fn position(&self, text: &[u8]) -> Option<u32> {
        let at = (text.as_ptr() as usize).wrapping_sub(self.base() as usize); // a text that lies before wraps around
        (at < self.word(0)).then(|| at as u32)
    }

    /// Puts a text into the text output, if it fits.
    fn copy(&self, text: &[u8]) -> Option<u32> {
        let at = self.word(TEXT);
        self.header[TEXT].set((at as u32).saturating_add(text.len() as u32));
        let to = self.text.get(at..at.checked_add(text.len())?)?;
        for (to, from) in to.iter().zip(text) {
            to.set(*from);
        }
        Some((self.word(TEXT_AT) + at) as u32)
    }

    /// A session cell, an index in the plan, of its type there: `batch.cell::<i64>(FIRST)`.
    pub fn cell<T: CellNumber>(&self, i: usize) -> Cell<'_, T> {
        let [kind, at] = self.cells[i];
        assert!(kind == T::KIND, "the plan has another type for the cell");
        Cell { slots: self.slots, values: unsafe { area(self.base(), at as usize, self.word(SLOTS)) } }
    }

    /// The time of the first beacon of a session that has ended, ms since 1970. This and the next two are for
    /// [`Plugin::close`](crate::Plugin::close).
    pub fn first(&self, row: usize) -> i64 {
        self.ended(0).i64(row)
    }

    /// The time of its last beacon.
    pub fn last(&self, row: usize) -> i64 {
        self.ended(1).i64(row)
    }

    /// How many of its measurements of a point, an index in the plan, were booked.
    pub fn counted(&self, row: usize, point: usize) -> i64 {
        self.ended(2 + point).i64(row)
    }

    fn ended(&self, i: usize) -> Column<'a> {
        assert!(self.word(KIND) == 4, "the batch is of beacons, not of sessions that have ended");
        self.column(i)
    }

    /// Writes what is counted last, and tells whether all outputs fitted.
    pub(crate) fn finish(&self) -> bool {
        self.header[MEASUREMENTS].set(self.measured.get());
        self.word(MEASUREMENTS) <= self.word(MEASUREMENTS_CAP)
            && self.word(TUPLES) <= self.word(TUPLES_CAP)
            && self.word(TEXT) <= self.word(TEXT_CAP)
    }
}

/// A session cell in the rows of a batch: a value that the host keeps for each session, 0 at its start. Rows of one session
/// see each other's writes.
pub struct Cell<'a, T> {
    slots: &'a [u32],
    values: &'a [cell::Cell<T>],
}

impl<T: CellNumber> Cell<'_, T> {
    /// The value in the session of a row.
    #[inline(always)]
    pub fn get(&self, row: usize) -> T {
        self.values[self.slots[row] as usize].get()
    }

    /// Sets the value in the session of a row.
    #[inline(always)]
    pub fn set(&self, row: usize, value: T) {
        self.values[self.slots[row] as usize].set(value);
    }
}

/// A type of a session cell: `i64` or `f64`.
pub trait CellNumber: Copy + private::Sealed {
    #[doc(hidden)]
    const KIND: u32;
}

impl CellNumber for i64 {
    const KIND: u32 = 2;
}

impl CellNumber for f64 {
    const KIND: u32 = 3;
}

mod private {
    pub trait Sealed {}
    impl Sealed for i64 {}
    impl Sealed for f64 {}
}

/// n elements at a position of a batch. An empty area may have any position.
unsafe fn area<'a, T>(base: *mut u8, position: usize, n: usize) -> &'a [T] {
    if n == 0 {
        return &[];
    }
    slice::from_raw_parts(base.add(position).cast(), n)
}
