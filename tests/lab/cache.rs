//! The user's cache directory, where what tests build is kept, and what tells one version of it from another.

use std::path::PathBuf;

/// The user's cache directory of this project, as the XDG Base Directory Specification has it.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("singleton-guard"))
}

/// 64-bit FNV-1a over all texts: it only has to tell one set of inputs from another, the same way in every build.
pub(crate) fn fnv1a(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
