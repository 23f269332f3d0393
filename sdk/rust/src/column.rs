use crate::Json;
use core::marker::PhantomData;

/// What an `any` or `kind` column holds at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ValueKind {
    /// The beacon has nothing there.
    Missing,
    /// `null`
    Null,
    /// `false`
    False,
    /// `true`
    True,
    /// A number; the text is as written.
    Number,
    /// A string; the text is its content.
    String,
    /// Text of a source that has no types; a number if it looks like one.
    Untyped,
    /// An array; the text is its JSON.
    Array,
    /// An object; the text is its JSON.
    Object,
}

const KINDS: [ValueKind; 9] = [
    ValueKind::Missing, ValueKind::Null, ValueKind::False, ValueKind::True, ValueKind::Number, ValueKind::String,
    ValueKind::Untyped, ValueKind::Array, ValueKind::Object,
];

/// A column of a batch. A row without a value has 0, false and an empty text. What is asked for must be of the column's
/// type in the plan, and a row less than the batch's rows: else it panics, which is a trap.
#[derive(Clone, Copy)]
pub struct Column<'a> {
    pub(crate) rows: usize,
    pub(crate) valid: *const u8, // bitmap of rows
    pub(crate) bits: &'a [u8], // bitmap of rows
    pub(crate) kinds: &'a [u8],
    pub(crate) codes: &'a [u32], // not empty: a dictionary
    pub(crate) ints: &'a [i64],
    pub(crate) floats: &'a [f64],
    pub(crate) entries: usize,
    pub(crate) offsets: *const u32, // of texts: entries + 1, ascending, into bytes
    pub(crate) bytes: *const u8,
    pub(crate) batch: PhantomData<&'a [u8]>,
}

#[inline(always)]
fn bit(bitmap: &[u8], i: usize) -> bool {
    bitmap[i >> 3] >> (i & 7) & 1 != 0
}

impl<'a> Column<'a> {
    /// Tells whether a row has a value.
    #[inline(always)]
    pub fn valid(&self, row: usize) -> bool {
        assert!(row < self.rows); // in a loop over all rows a compiler sees that
        unsafe { *self.valid.add(row >> 3) >> (row & 7) & 1 != 0 }
    }

    /// The value of a row of a `bool` column.
    #[inline(always)]
    pub fn bool(&self, row: usize) -> bool {
        bit(self.bits, row)
    }

    /// The number of a row of an `f64` column.
    #[inline(always)]
    pub fn f64(&self, row: usize) -> f64 {
        self.floats[row]
    }

    /// The integer of a row of an `i64` column.
    #[inline(always)]
    pub fn i64(&self, row: usize) -> i64 {
        self.ints[row]
    }

    /// The text of a row of a `str`, `json` or `any` column, dictionary or not; UTF-8, empty if it has none.
    #[inline(always)]
    pub fn text(&self, row: usize) -> &'a [u8] {
        if self.codes.is_empty() {
            self.entry(row)
        } else if self.valid(row) {
            self.entry(self.code(row))
        } else {
            &[] // its code is that of any value
        }
    }

    /// Number of texts: of rows, or of the dictionary.
    #[inline(always)]
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Text i: of row i, or of the dictionary's entry i.
    #[inline(always)]
    pub fn entry(&self, i: usize) -> &'a [u8] {
        assert!(i < self.entries);
        // The host has laid the offsets out in ascending order, within the bytes.
        unsafe {
            let both = self.offsets.add(i).cast::<[u8; 8]>(); // in wasm one check of bounds is cheaper than two
            let both = u64::from_le_bytes(*both);
            let (from, to) = (both as u32, (both >> 32) as u32);
            core::slice::from_raw_parts(self.bytes.add(from as usize), to.wrapping_sub(from) as usize)
        }
    }

    /// The dictionary's entry of a row; 0 if the row has no value.
    #[inline(always)]
    pub fn code(&self, row: usize) -> usize {
        self.codes[row] as usize
    }

    /// The dictionary's entry that is the text, if this batch has it.
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        (0..self.entries()).find(|&i| self.entry(i) == text)
    }

    /// The kind of a row's value in an `any` or `kind` column.
    #[inline(always)]
    pub fn kind(&self, row: usize) -> ValueKind {
        KINDS[self.kinds[row] as usize]
    }

    /// The array or object of a row of a `json` column, or of an `any` column that has one there.
    pub fn json(&self, row: usize) -> Option<Json<'a>> {
        let text = self.text(row);
        matches!(text.first(), Some(b'[' | b'{')).then(|| Json::new(text))
    }
}
