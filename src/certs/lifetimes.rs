//! How long certificates are valid, and the times that follow from it. Pure: times are read and bounded here, never
//! measured.

use std::time::Duration;

/// Lifetimes that fit together: a rotation of the authority ends well before the authority does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    authority: Duration,
    leaf: Duration,
}

/// Lifetimes that do not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LifetimesError {
    /// The leaf's.
    #[error("--certificate-life is {}, must be between {} and {}", words(*.0), words(LEAF_MIN), words(LEAF_MAX))]
    Leaf(Duration),
    /// The authority's.
    #[error(
        "--authority-life is {}, must be between {RATIO} times --certificate-life ({}) and {}: the last third of it has to hold a whole rotation",
        words(*.0), words(.1.saturating_mul(RATIO)), words(AUTHORITY_MAX)
    )]
    Authority(Duration, Duration),
}

impl Lifetimes {
    /// Takes both, if they fit.
    ///
    /// # Errors
    /// [`LifetimesError`], with what would fit.
    pub fn new(authority: Duration, leaf: Duration) -> Result<Self, LifetimesError> {
        if leaf < LEAF_MIN || leaf > LEAF_MAX {
            return Err(LifetimesError::Leaf(leaf));
        }
        if authority < leaf.saturating_mul(RATIO) || authority > AUTHORITY_MAX {
            return Err(LifetimesError::Authority(authority, leaf));
        }
        Ok(Self { authority, leaf })
    }

    /// From the beginning to the end of an authority.
    #[must_use]
    pub const fn authority(&self) -> Duration {
        self.authority
    }

    /// From the beginning to the end of a leaf.
    #[must_use]
    pub const fn leaf(&self) -> Duration {
        self.leaf
    }

    /// How long a new authority has been published before a leaf of it is served. API servers learn of a change by a
    /// watch, usually within a second; nobody waits for this time, so it is many times that.
    #[must_use]
    pub fn settle(&self) -> Duration {
        (self.leaf / 6).min(SETTLE)
    }

    /// How often to look. Several looks fit into the time in which a new leaf is there and the old one still valid.
    #[must_use]
    pub fn check_interval(&self) -> Duration {
        (self.leaf / 12).min(LOOK)
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { authority: 10 * YEAR, leaf: YEAR }
    }
}

/// Reads a duration as it stands in a flag: a whole number with `s`, `m`, `h` or `d`.
///
/// # Errors
/// What would be right.
pub fn read(text: &str) -> Result<Duration, String> {
    let unit = |unit: char| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(60 * 60),
        'd' => Some(24 * 60 * 60),
        _ => None,
    };
    let seconds = || {
        let seconds = unit(text.chars().last()?)?;
        let number = text.get(..text.len().checked_sub(1)?)?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse::<u64>().ok().filter(|_| digits)?.checked_mul(seconds)
    };
    seconds().map(Duration::from_secs).ok_or_else(|| "right is a whole number with s, m, h or d, as in 90d".to_owned())
}

/// As [`read`] reads it, in the largest unit that leaves no rest.
fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let unit =
        [('d', 24 * 60 * 60), ('h', 60 * 60), ('m', 60)].into_iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{seconds}s"), |(name, unit)| format!("{}{name}", seconds / unit))
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Certificates carry whole seconds; less than this leaves none for the steps of a rotation.
const LEAF_MIN: Duration = Duration::from_secs(6);
const LEAF_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Beyond it a time no longer fits into everything that has to hold it.
const AUTHORITY_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// A rotation takes a settling time (a sixth of a leaf's life at most) and a leaf's life, and begins after two thirds.
const RATIO: u32 = 4;
const SETTLE: Duration = Duration::from_secs(2 * 60);
const LOOK: Duration = Duration::from_secs(10);
