//! The program that is tried: the one that cargo has built for this test, or the file that `BINARY` names, for figures of
//! a release build.

use std::path::PathBuf;

/// Where it is.
pub(crate) fn guard_binary() -> PathBuf {
    std::env::var_os("BINARY").map_or_else(|| env!("CARGO_BIN_EXE_singleton-guard").into(), PathBuf::from)
}
