//! A sieve for JSON as it streams in: of each value only the parts that somebody reads come out, as JSON again. Pure.
//!
//! Nothing else is ever held: neither a list nor a line nor an object as a whole, however large it is and however deep it
//! nests. What comes out is bounded too: a part that is larger than its bound comes out as [`BEYOND`] in its place. What is
//! passed over is not checked beyond its strings and brackets; whatever comes out is read by a strict reader after it.

mod keep;
mod pass;
mod state;

pub use keep::Keep;
pub use pass::Malformed;
pub use state::Part;

use keep::Want;
use pass::{Pass, first, quote_or_escape, trimmed};
use state::{Kept, Open, State};

/// The sieve: bytes in, in pieces of any size.
#[derive(Debug)]
pub struct Sieve<'k> {
    keep: &'k Keep,
    out: Vec<u8>,
    key: Vec<u8>,
    open: Vec<Open<'k>>,
    state: State<'k>,
}

impl<'k> Sieve<'k> {
    /// For a stream of values of which this is kept.
    #[must_use]
    pub fn new(keep: &'k Keep) -> Self {
        Self { keep, out: Vec::new(), key: Vec::new(), open: Vec::new(), state: State::Value(keep) }
    }

    /// Takes in the next piece of the stream, and hands out what is whole.
    ///
    /// # Errors
    /// What was handed out before stands.
    pub fn push<E: From<Malformed>>(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            bytes = self.step(bytes, &mut each)?;
        }
        Ok(())
    }

    /// Whether the stream may end here: no value has begun.
    #[must_use]
    pub fn is_between_values(&self) -> bool {
        self.open.is_empty() && matches!(self.state, State::Value(_))
    }

    /// Takes one step, and answers what is left of the piece.
    fn step<'b, E: From<Malformed>>(
        &mut self,
        bytes: &'b [u8],
        each: &mut impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<&'b [u8], E> {
        match self.state {
            State::Passing { pass, kept } => self.passing(bytes, pass, kept, each),
            State::InKey { escaped } => Ok(self.in_key(bytes, escaped)),
            State::Value(keep) => Ok(self.value(bytes, keep)),
            State::Key => self.key(bytes, each),
            State::Colon(keep) => match first(bytes) {
                None => Ok(&[]),
                Some((b':', rest)) => {
                    self.begin_value(keep);
                    Ok(rest)
                }
                Some(_) => Err(Malformed.into()),
            },
            State::Item(keep) => match first(bytes) {
                None => Ok(&[]),
                Some((b',', rest)) => Ok(rest),
                Some((b']', rest)) => self.end(b']', each).map(|()| rest),
                Some(_) => {
                    self.separate();
                    self.state = State::Value(keep);
                    Ok(bytes)
                }
            },
        }
    }

    /// Goes on within a value that is kept as it is, or not at all.
    fn passing<'b, E: From<Malformed>>(
        &mut self,
        bytes: &'b [u8],
        pass: Pass,
        mut kept: Option<Kept>,
        each: &mut impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<&'b [u8], E> {
        let (count, pass) = pass.run(bytes)?;
        let (passed, rest) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
        if let Some(Kept { start, most }) = kept {
            if self.out.len() - start + passed.len() <= most {
                self.out.extend_from_slice(passed);
            } else {
                self.out.truncate(start);
                self.out.extend_from_slice(BEYOND.as_bytes());
                kept = None;
            }
        }
        match pass {
            Some(pass) => self.state = State::Passing { pass, kept },
            None => self.value_is_over(each)?,
        }
        Ok(rest)
    }

    /// Begins a value.
    fn value<'b>(&mut self, bytes: &'b [u8], keep: &'k Keep) -> &'b [u8] {
        let Some((first, rest)) = first(bytes) else { return &[] };
        let kept = match (first, &keep.want) {
            (b'{', Want::Fields(_)) => {
                self.begin(keep, first);
                self.state = State::Key;
                return rest;
            }
            (b'[', Want::Items(item) | Want::Each(item)) => {
                self.begin(keep, first);
                self.state = State::Item(item);
                return rest;
            }
            (_, Want::Presence) => {
                self.out.extend_from_slice(b"true");
                None
            }
            // Of another type than was expected: whoever reads it decides.
            (_, want) => {
                let most = if matches!(want, Want::Whole) { keep.most } else { Keep::short().most };
                Some(Kept { start: self.out.len(), most })
            }
        };
        self.state = State::Passing { pass: Pass::new(), kept };
        trimmed(bytes)
    }

    /// Reads a key, or the end of the object.
    fn key<'b, E: From<Malformed>>(
        &mut self,
        bytes: &'b [u8],
        each: &mut impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<&'b [u8], E> {
        let rest = match first(bytes) {
            None => return Ok(&[]),
            Some((b',', rest)) => return Ok(rest),
            Some((b'}', rest)) => return self.end(b'}', each).map(|()| rest),
            Some((b'"', rest)) => rest,
            Some(_) => return Err(Malformed.into()),
        };
        self.key.clear();
        // Nearly every key is here as a whole.
        let end = quote_or_escape(rest);
        if let Some((key, [b'"', b':', rest @ ..])) = end.and_then(|end| rest.split_at_checked(end)) {
            let keep = self.open.last().and_then(|open| open.keep.field(key));
            if keep.is_some() {
                self.key.extend_from_slice(key);
                self.begin_value(keep);
                return Ok(rest);
            }
            let (count, pass) = Pass::new().run(rest)?;
            if let Some(pass) = pass {
                self.state = State::Passing { pass, kept: None };
            }
            return Ok(rest.get(count..).unwrap_or_default());
        }
        self.state = State::InKey { escaped: false };
        Ok(rest)
    }

    fn in_key<'b>(&mut self, bytes: &'b [u8], mut escaped: bool) -> &'b [u8] {
        let end = bytes.iter().position(|byte| {
            let is_end = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            is_end
        });
        let (part, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, &[]));
        // A longer one is none that is kept, also without its end.
        let room = KEY_MAX.saturating_sub(self.key.len()).min(part.len());
        self.key.extend_from_slice(part.get(..room).unwrap_or_default());
        let Some((_, rest)) = rest.split_first() else {
            self.state = State::InKey { escaped };
            return &[];
        };
        let keep = self.open.last().and_then(|open| self.field_of(open.keep));
        self.state = State::Colon(keep);
        rest
    }

    /// The value of the key that is over.
    fn begin_value(&mut self, keep: Option<&'k Keep>) {
        self.state = match keep {
            Some(keep) => {
                self.separate();
                self.out.push(b'"');
                self.out.extend_from_slice(&self.key);
                self.out.extend_from_slice(b"\":");
                State::Value(keep)
            }
            None => State::Passing { pass: Pass::new(), kept: None },
        };
    }

    fn field_of(&self, keep: &'k Keep) -> Option<&'k Keep> {
        if !self.key.contains(&b'\\') {
            return keep.field(&self.key);
        }
        let quoted = [b"\"", self.key.as_slice(), b"\""].concat();
        serde_json::from_slice::<String>(&quoted).ok().and_then(|key| keep.field(key.as_bytes()))
    }

    fn begin(&mut self, keep: &'k Keep, bracket: u8) {
        self.open.push(Open { keep, start: self.out.len(), is_empty: true });
        self.out.push(bracket);
    }

    fn end<E: From<Malformed>>(
        &mut self,
        bracket: u8,
        each: &mut impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open.pop();
        self.out.push(bracket);
        self.value_is_over(each)
    }

    /// A comma, but before the first.
    fn separate(&mut self) {
        if let Some(open) = self.open.last_mut() {
            if !open.is_empty {
                self.out.push(b',');
            }
            open.is_empty = false;
        }
    }

    fn value_is_over<E: From<Malformed>>(&mut self, each: &mut impl FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E> {
        let Some(&Open { keep, start, .. }) = self.open.last() else {
            self.state = State::Value(self.keep);
            let told = each(Part::Value(&self.out));
            self.out.clear();
            return told;
        };
        match &keep.want {
            Want::Each(item) => {
                self.state = State::Item(item);
                let told = each(Part::Item(self.out.get(start + 1..).unwrap_or_default()));
                self.out.truncate(start + 1);
                if let Some(open) = self.open.last_mut() {
                    open.is_empty = true;
                }
                return told;
            }
            Want::Items(item) => self.state = State::Item(item),
            Want::Fields(_) | Want::Whole | Want::Presence => self.state = State::Key,
        }
        // What is in it is all that may be in it: the rest is passed over.
        if self.out.len() - start > keep.most {
            self.open.pop();
            self.out.truncate(start);
            self.out.extend_from_slice(BEYOND.as_bytes());
            let pass = Pass::rest_of_brackets();
            self.state = State::Passing { pass, kept: None };
        }
        Ok(())
    }
}

/// Comes out in the place of what is larger than its bound: a text that means nothing to anybody, where a map or a list was
/// expected an error, unless the reader expects it ([`super::seen::Bounded`]).
pub const BEYOND: &str = "\"\u{2026}\"";
/// Longer than any key that is kept: a prefix of 253 characters, a slash and a name of 63, each character escaped.
const KEY_MAX: usize = 2_048;
