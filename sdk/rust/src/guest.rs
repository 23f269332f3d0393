//! What the exports of a module do.

use crate::memory::heap;
use crate::{Batch, Config, Error, Plugin};
use core::cell::{Cell, UnsafeCell};

const DONE: u32 = 0;
const TOO_SMALL: u32 = 1;
const FAILED: u32 = 2;

/// The state of a module.
#[doc(hidden)]
pub struct Guest<P> {
    plugin: UnsafeCell<Option<P>>,
    error: Cell<&'static str>,
}

// A module has one thread.
unsafe impl<P> Sync for Guest<P> {}

impl<P: Plugin> Guest<P> {
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Guest { plugin: UnsafeCell::new(None), error: Cell::new("") }
    }

    #[allow(clippy::mut_from_ref)]
    fn plugin(&self) -> &mut Option<P> {
        // One thread, and no export calls another.
        unsafe { &mut *self.plugin.get() }
    }

    pub fn manifest(&self) -> u64 {
        pack(P::MANIFEST.json())
    }

    pub fn alloc(&self, size: usize) -> *mut u8 {
        match self.plugin() {
            None => heap::block(size, 8),
            Some(_) => heap::arena(size),
        }
    }

    pub fn configure(&self, at: *const u8, len: usize) -> u32 {
        // The first block stays for good.
        let text = unsafe { core::slice::from_raw_parts(at, len) };
        match P::configure(&Config::read(text)) {
            Ok(plugin) => {
                *self.plugin() = Some(plugin);
                DONE
            }
            Err(e) => self.fail(e),
        }
    }

    pub fn plan(&self) -> u64 {
        pack(self.plugin().as_ref().map_or("", |p| p.plan().json()))
    }

    pub fn process(&self, batch: *mut u8) -> u32 {
        self.answer(batch, P::MANIFEST.kind as usize + 1, P::process)
    }

    pub fn close(&self, batch: *mut u8) -> u32 {
        self.answer(batch, 4, P::close)
    }

    pub fn error(&self) -> u64 {
        pack(self.error.get())
    }

    fn fail(&self, e: Error) -> u32 {
        self.error.set(e.0);
        FAILED
    }

    #[inline(always)] // so that what is read of the batch stays in locals
    fn answer(&self, at: *mut u8, kind: usize, f: fn(&mut P, &Batch) -> Result<(), Error>) -> u32 {
        let plugin = match self.plugin() {
            Some(p) => p,
            None => return self.fail("the plugin is not configured".into()),
        };
        // The host lays batches out as abi/SPEC.md says.
        let batch = unsafe { Batch::new(at, kind) };
        match f(plugin, &batch) {
            Ok(()) if batch.finish() => DONE,
            Ok(()) => TOO_SMALL,
            Err(e) => self.fail(e),
        }
    }
}

fn pack(text: &str) -> u64 {
    (text.as_ptr() as u64) << 32 | text.len() as u64
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
