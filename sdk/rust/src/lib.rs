//! Writes [Pharos](https://github.com/seed-6a2d649b/pharos) plugins (ABI version 1, `abi/SPEC.md`), without `std` and
//! without dependencies.
//!
//! ```ignore
//! #![cfg_attr(target_arch = "wasm32", no_std)]
//! use pharos::{Batch, Config, Error, Kind, Manifest, Plan, Plugin, Type};
//!
//! struct Health;
//!
//! impl Plugin for Health {
//!     const MANIFEST: Manifest = Manifest { kind: Kind::Filter, name: "health", version: "1.0.0", description: "", schema: "" };
//!
//!     fn configure(_: &Config) -> Result<Self, Error> {
//!         Ok(Health)
//!     }
//!
//!     fn plan(&self) -> Plan {
//!         Plan::new().field("path", Type::Str).reason("health check")
//!     }
//!
//!     fn process(&mut self, batch: &Batch) -> Result<(), Error> {
//!         let path = batch.column(0);
//!         for row in 0..batch.rows() {
//!             if path.text(row) == b"/healthz" { batch.drop(row, 0) } else { batch.keep(row) }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! pharos::export!(Health);
//! ```
//!
//! What a plugin answers for a row must depend on the config, the data files, that row and its session's cells only: the
//! host splits, joins and repeats batches. A panic is a trap: the host ends the instance and looks for the guilty row.
#![no_std]
#![warn(missing_docs)]

#[cfg(not(target_arch = "wasm32"))]
extern crate std;

mod batch;
mod column;
mod config;
#[cfg(target_arch = "wasm32")]
mod guest;
mod json;
pub mod memory;
mod plan;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use batch::{Batch, Cell, CellNumber};
pub use column::{Column, ValueKind};
pub use config::Config;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use guest::Guest;
pub use json::{Elements, Json, Members};
pub use plan::{Kind, Manifest, Plan, Type};

/// A plugin: a type that [`export!`] makes the module's.
pub trait Plugin: Sized {
    /// What the plugin is.
    const MANIFEST: Manifest;

    /// Takes the config, once an instance. An error refuses it.
    fn configure(config: &Config) -> Result<Self, Error>;

    /// The fields that the plugin wants, and what it may answer: a function of the config.
    fn plan(&self) -> Plan;

    /// Answers for every row of a batch. An error makes the host look for the guilty rows.
    fn process(&mut self, batch: &Batch) -> Result<(), Error>;

    /// Answers for every row of a batch of sessions that have ended, of an extractor that is exported by
    /// `export!(NAME, close)`. The plan's columns are not there, but [`Batch::first`], [`Batch::last`], [`Batch::counted`]
    /// and the cells.
    fn close(&mut self, _batch: &Batch) -> Result<(), Error> {
        Err("the plugin does not measure the ends of sessions".into())
    }
}

/// Why a config is refused or a batch has failed: `Err("the list is missing".into())`.
#[derive(Debug)]
pub struct Error(&'static str);

impl Error {
    /// The error's text.
    pub fn text(&self) -> &'static str {
        self.0
    }
}

impl From<&'static str> for Error {
    fn from(text: &'static str) -> Self {
        Error(text)
    }
}

impl From<memory::Text> for Error {
    fn from(text: memory::Text) -> Self {
        Error(text.finish())
    }
}

/// `a == b` without a call, which short texts are not worth.
#[inline(always)]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && has_prefix(a, b)
}

/// `text.starts_with(prefix)` without a call, which a short prefix is not worth.
#[inline(always)]
pub fn has_prefix(text: &[u8], prefix: &[u8]) -> bool {
    if text.len() < prefix.len() {
        return false;
    }
    let n = prefix.len();
    // Both have n bytes. Most texts differ in the first, which is looked at before there is a loop.
    unsafe { n == 0 || text.get_unchecked(0) == prefix.get_unchecked(0) && (1..n).all(|i| text.get_unchecked(i) == prefix.get_unchecked(i)) }
}

/// Makes a [`Plugin`] the module's: `export!(Internal)`. Once a module. `export!(Visits, close)` is for one that
/// has [`Plugin::close`].
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$crate::Config) -> Result<$plugin, $crate::Error> = <$plugin as $crate::Plugin>::configure;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            static GUEST: $crate::Guest<$plugin> = $crate::Guest::new();
            $crate::__exports!(GUEST);
        };
    };
    ($plugin:ty, close) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&$crate::Config) -> Result<$plugin, $crate::Error> = <$plugin as $crate::Plugin>::configure;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            static GUEST: $crate::Guest<$plugin> = $crate::Guest::new();
            $crate::__exports!(GUEST);
            #[no_mangle]
            extern "C" fn pharos_close(batch: *mut u8) -> u32 {
                GUEST.close(batch)
            }
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __exports {
    ($guest:ident) => {
        #[no_mangle]
        extern "C" fn pharos_abi() -> u32 {
            1
        }
        #[no_mangle]
        extern "C" fn pharos_manifest() -> u64 {
            $guest.manifest()
        }
        #[no_mangle]
        extern "C" fn pharos_alloc(size: usize, _align: usize) -> *mut u8 {
            $guest.alloc(size)
        }
        #[no_mangle]
        extern "C" fn pharos_configure(at: *const u8, len: usize) -> u32 {
            $guest.configure(at, len)
        }
        #[no_mangle]
        extern "C" fn pharos_plan() -> u64 {
            $guest.plan()
        }
        #[no_mangle]
        extern "C" fn pharos_process(batch: *mut u8) -> u32 {
            $guest.process(batch)
        }
        #[no_mangle]
        extern "C" fn pharos_error() -> u64 {
            $guest.error()
        }
    };
}
