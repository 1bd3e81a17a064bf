//! Where a sieve is in its stream.

use super::keep::Keep;
use super::pass::Pass;

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// An item of the list that is kept item by item.
    Item(&'a [u8]),
    /// A value of the stream, which is over.
    Value(&'a [u8]),
}

/// An object or a list that is kept in parts, and is not over yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open<'k> {
    pub(super) keep: &'k Keep,
    /// Where in `out` it begins.
    pub(super) start: usize,
    pub(super) is_empty: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum State<'k> {
    /// A value comes.
    Value(&'k Keep),
    /// A key comes, or the end of the object.
    Key,
    /// Within a key.
    InKey { escaped: bool },
    /// A colon comes, and then a value, of which this is kept.
    Colon(Option<&'k Keep>),
    /// An item comes, or the end of the list.
    Item(&'k Keep),
    /// Within a value that is kept as it is, or not at all.
    Passing { pass: Pass, kept: Option<Kept> },
}

/// A value that is kept as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    /// Where in `out` it begins.
    pub(super) start: usize,
    pub(super) most: usize,
}
