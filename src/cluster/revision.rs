//! A `resourceVersion` as the number that it may be compared as.

/// The revision at which an object was written, of one resource in one cluster.
///
/// Opaque to clients for ten years; from Kubernetes 1.35 on it is a decimal number that orders the versions of one
/// resource (KEP-5504), which it was in the API server's own watch cache all along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// Reads it as the KEP has it: digits, no sign, no zero in front. None for anything else, and for `0`, which means
    /// "any version" where it is sent and is never an object's own.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse().ok().filter(|_| is_number).map(Self)
    }
}
