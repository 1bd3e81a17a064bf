//! The way through a value that comes out as it is, or not at all: where it ends.

/// The stream is not JSON where it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not JSON")]
pub struct Malformed;

/// How far the way is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    /// Brackets that are open.
    depth: usize,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The value has not begun.
    Before,
    /// Within a number, `true`, `false` or `null`, which ends where something else begins.
    Word,
    /// Within a text.
    Text,
    /// The same, behind a backslash: what comes may be a quote.
    Escaped,
    /// Within brackets, but no text.
    Brackets,
}

impl Pass {
    /// Through a value that has not begun.
    pub(super) const fn new() -> Self {
        Self { depth: 0, place: Place::Before }
    }

    /// Through what is left of an object or a list.
    pub(super) const fn rest_of_brackets() -> Self {
        Self { depth: 1, place: Place::Brackets }
    }

    /// How many of the bytes belong to the value, and how far the way is then; none where it ends with them.
    pub(super) fn run(mut self, bytes: &[u8]) -> Result<(usize, Option<Self>), Malformed> {
        let mut rest = bytes;
        if self.place == Place::Before {
            rest = trimmed(rest);
            self.place = match rest.first() {
                None => return Ok((bytes.len(), Some(self))),
                Some(b',' | b':' | b'}' | b']') => return Err(Malformed),
                Some(b'"' | b'{' | b'[') => Place::Brackets,
                Some(_) => Place::Word,
            };
        }
        if self.place == Place::Word {
            let end = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace());
            return Ok(end.map_or((bytes.len(), Some(self)), |end| (bytes.len() - rest.len() + end, None)));
        }
        loop {
            match self.place {
                Place::Escaped => {
                    let Some((_, after)) = rest.split_first() else { return Ok((bytes.len(), Some(self))) };
                    (rest, self.place) = (after, Place::Text);
                }
                Place::Text => match quote_or_escape(rest).and_then(|at| rest.get(at..)) {
                    Some([b'"', after @ ..]) => match after {
                        // What mostly follows a text, and leads to the next one.
                        [b':' | b',', b'"', next @ ..] if self.depth > 0 => rest = next,
                        [b':', b'{', b'"', next @ ..] if self.depth > 0 => {
                            (rest, self.depth) = (next, self.depth + 1);
                        }
                        [b':', b'{', b'}', b',', b'"', next @ ..] if self.depth > 0 => rest = next,
                        _ => (rest, self.place) = (after, Place::Brackets),
                    },
                    Some([_, after @ ..]) => {
                        (rest, self.place) = (after, Place::Escaped);
                        continue;
                    }
                    _ => return Ok((bytes.len(), Some(self))),
                },
                _ => match brackets(rest, &mut self.depth) {
                    Some([b'"', after @ ..]) => {
                        (rest, self.place) = (after, Place::Text);
                        continue;
                    }
                    Some([_, after @ ..]) => rest = after,
                    _ => return Ok((bytes.len(), Some(self))),
                },
            }
            if self.depth == 0 && self.place == Place::Brackets {
                return Ok((bytes.len() - rest.len(), None));
            }
        }
    }
}

/// Goes on to the next text, or to the bracket that closes the last one that is open.
fn brackets<'b>(bytes: &'b [u8], depth: &mut usize) -> Option<&'b [u8]> {
    let at = bytes.iter().position(|byte| match byte {
        b'"' => true,
        b'{' | b'[' => {
            *depth += 1;
            false
        }
        b'}' | b']' => {
            *depth = depth.saturating_sub(1);
            *depth == 0
        }
        _ => false,
    })?;
    bytes.get(at..)
}

/// Where the first quote or backslash is; eight bytes are looked at at a time.
pub(super) fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (count, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest bit that is set belongs to the first hit; those above it need not be hits.
        let hits = zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c));
        if hits != 0 {
            return Some(count * 8 + usize::try_from(hits.trailing_zeros() / 8).unwrap_or_default());
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + at)
}

/// The high bits of the bytes that are zero, up to the first one.
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES * 0x80)
}

/// Without the white space in front.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    // An API server writes none.
    if bytes.first().is_some_and(|byte| *byte > b' ') { bytes } else { bytes.trim_ascii_start() }
}

/// A one in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The first byte that is no white space, and what follows it.
pub(super) fn first(bytes: &[u8]) -> Option<(u8, &[u8])> {
    trimmed(bytes).split_first().map(|(first, rest)| (*first, rest))
}
