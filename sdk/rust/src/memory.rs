//! Memory for good: what is taken here is never given back. So take it in `configure`, not for each batch.
//!
//! In a module, the batch lies in pages of its own behind it. A plugin that wants `alloc` brings a `#[global_allocator]`
//! that gets its pages by `memory.grow` (Rust 1.68 or later); both get on.

use core::fmt;
use core::slice;

/// n values that are all the same: a table, or a buffer for texts that the plugin makes.
pub fn slice<T: Copy>(n: usize, value: T) -> &'static mut [T] {
    let size = n.checked_mul(core::mem::size_of::<T>()).expect("too large");
    let at = heap::block(size, core::mem::align_of::<T>()) as *mut T;
    assert!(!at.is_null(), "no memory");
    // Nobody else has this memory, and every value is written before it is seen.
    unsafe {
        for i in 0..n {
            at.add(i).write(value);
        }
        slice::from_raw_parts_mut(at, n)
    }
}

/// A text that grows: `write!(text, "{} names", n)`.
pub struct Text {
    buffer: &'static mut [u8],
    len: usize,
}

impl Text {
    /// An empty text.
    pub fn new() -> Self {
        Text { buffer: &mut [], len: 0 }
    }

    /// Adds to the end.
    pub fn push(&mut self, text: &str) {
        let len = self.len + text.len();
        if len > self.buffer.len() {
            let larger = slice(2 * len, 0);
            larger[..self.len].copy_from_slice(&self.buffer[..self.len]);
            self.buffer = larger;
        }
        self.buffer[self.len..len].copy_from_slice(text.as_bytes());
        self.len = len;
    }

    /// Adds a text as a JSON string.
    pub fn push_quoted(&mut self, text: &str) {
        self.push("\"");
        for c in text.chars() {
            match c {
                '"' => self.push("\\\""),
                '\\' => self.push("\\\\"),
                '\0'..='\x1f' => {
                    self.push("\\u00");
                    for digit in [c as u32 >> 4, c as u32 & 15] {
                        self.push(char::from_digit(digit, 16).unwrap_or('0').encode_utf8(&mut [0; 4]));
                    }
                }
                _ => self.push(c.encode_utf8(&mut [0; 4])),
            }
        }
        self.push("\"");
    }

    /// The text so far.
    pub fn as_str(&self) -> &str {
        // Only whole texts come in.
        unsafe { core::str::from_utf8_unchecked(&self.buffer[..self.len]) }
    }

    /// The text, for good.
    pub fn finish(self) -> &'static str {
        unsafe { core::str::from_utf8_unchecked(&self.buffer[..self.len]) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for Text {
    fn default() -> Self {
        Text::new()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod heap {
    use std::alloc::{alloc, Layout};

    pub fn block(size: usize, align: usize) -> *mut u8 {
        // Not of size 0, which the allocator does not give.
        unsafe { alloc(Layout::from_size_align(size.max(1), align).expect("too large")) }
    }
}

#[cfg(target_arch = "wasm32")]
pub(crate) mod heap {
    use core::arch::wasm32::{memory_grow, memory_size};
    use core::cell::Cell;

    const PAGE: usize = 65536;

    extern "C" {
        static __heap_base: u8;
    }

    struct Heap {
        at: Cell<usize>, // free up to end; 0: from __heap_base on
        end: Cell<usize>,
        arena: Cell<usize>, // whole pages; 0: none yet
        arena_end: Cell<usize>,
    }

    // A module has one thread.
    unsafe impl Sync for Heap {}

    static HEAP: Heap = Heap { at: Cell::new(0), end: Cell::new(0), arena: Cell::new(0), arena_end: Cell::new(0) };

    fn memory_end() -> usize {
        memory_size(0) * PAGE // less than 4 GiB in any host
    }

    /// Grows the memory by so many bytes or more, and gives where they begin.
    fn grow(size: usize) -> Option<usize> {
        let before = memory_grow(0, size / PAGE + (size % PAGE != 0) as usize);
        (before != usize::MAX).then(|| before * PAGE)
    }

    /// A block for good, null if there is no memory.
    pub fn block(size: usize, align: usize) -> *mut u8 {
        try_block(size, align).unwrap_or(0) as *mut u8
    }

    fn try_block(size: usize, align: usize) -> Option<usize> {
        if HEAP.at.get() == 0 {
            HEAP.at.set(unsafe { &__heap_base as *const u8 as usize });
            HEAP.end.set(memory_end());
        }
        let mut at = (HEAP.at.get() + align - 1) & !(align - 1);
        let mut to = at.checked_add(size)?;
        if to > HEAP.end.get() {
            if HEAP.end.get() == memory_end() {
                grow(to - HEAP.end.get())?;
            } else {
                at = grow(size)?; // somebody else's pages lie between
                to = at + size;
            }
            HEAP.end.set(memory_end());
        }
        HEAP.at.set(to);
        Some(at)
    }

    /// The arena with room for so many bytes, null if there is no memory. What lay in the one before is void.
    pub fn arena(size: usize) -> *mut u8 {
        try_arena(size).unwrap_or(0) as *mut u8
    }

    fn try_arena(size: usize) -> Option<usize> {
        let have = HEAP.arena_end.get() - HEAP.arena.get();
        if HEAP.arena.get() == 0 || size > have {
            if HEAP.arena.get() != 0 && HEAP.arena_end.get() == memory_end() {
                grow(size - have)?;
            } else {
                HEAP.arena.set(grow(size)?);
            }
            HEAP.arena_end.set(memory_end());
        }
        Some(HEAP.arena.get())
    }
}
