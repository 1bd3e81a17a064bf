//! Shortening text for one-line messages. Whatever a request holds, a message stays one printable line.

use std::fmt::Write as _;

/// The text with control characters, and those that reorder what is around them, made visible, and its middle left out
/// where it is longer than `max` characters.
pub(crate) fn clip(text: &str, max: usize) -> String {
    let mut printable = String::with_capacity(text.len().min(max * 4));
    for c in text.chars() {
        if c.is_control() || DISGUISING.iter().any(|range| range.contains(&c)) {
            printable.push('\u{fffd}');
        } else {
            printable.push(c);
        }
    }
    let length = printable.chars().count();
    if length <= max {
        return printable;
    }
    let kept = max.saturating_sub(ELLIPSIS.len());
    let head = kept.div_ceil(2);
    let mut clipped: String = printable.chars().take(head).collect();
    clipped.push_str(ELLIPSIS);
    clipped.extend(printable.chars().skip(length - (kept - head)));
    clipped
}

/// `before + subject + after` within `max` characters: the subject gives way, the rest never does.
pub(crate) fn line(before: &str, subject: &str, after: &str, max: usize) -> String {
    let rest = before.chars().count() + after.chars().count();
    let mut line = String::with_capacity(max);
    // Writing to a String cannot fail.
    let _ = write!(line, "{before}{}{after}", clip(subject, max.saturating_sub(rest).max(SUBJECT_MIN)));
    line
}

/// The text in pieces of at most `max` characters, broken at spaces; each piece after the first begins with `again`.
pub(crate) fn wrap(text: &str, again: &str, max: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut length = 0_usize;
    for word in text.split(' ') {
        let word = clip(word, max.saturating_sub(again.chars().count()));
        let needed = word.chars().count();
        if piece.is_empty() {
            piece.push_str(&word);
        } else if length + 1 + needed <= max {
            piece.push(' ');
            piece.push_str(&word);
            length += 1;
        } else {
            pieces.push(std::mem::replace(&mut piece, format!("{again}{word}")));
            length = again.chars().count();
        }
        length += needed;
    }
    pieces.push(piece);
    pieces
}

/// FNV-1a, 32 bits: it tells apart names that are shortened alike. Names of stored objects are made of it, so it must
/// never change.
pub(crate) fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Its length in hexadecimal digits.
pub(crate) const HASH_LENGTH: usize = 8;
const ELLIPSIS: &str = "...";
/// Line and paragraph separators, and the marks of bidirectional text (Unicode TR 36, 3.1).
const DISGUISING: [std::ops::RangeInclusive<char>; 3] =
    ['\u{200e}'..='\u{200f}', '\u{2028}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
/// Below this a name says nothing any more.
const SUBJECT_MIN: usize = 16;
