//! Which parts of a value come out of the sieve, and how large they may be.

/// What is kept of a value.
#[derive(Debug, Clone)]
pub struct Keep {
    pub(super) want: Want,
    /// The largest number of bytes that may come out.
    pub(super) most: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Want {
    /// The value as it is.
    Whole,
    /// That there is one: `true` comes out in its place.
    Presence,
    /// Of an object these fields.
    Fields(Vec<(String, Keep)>),
    /// Of a list this of every item.
    Items(Box<Keep>),
    /// The same, but each item comes out by itself, and does not stay in its list.
    Each(Box<Keep>),
}

impl Keep {
    /// A short text or number.
    #[must_use]
    pub const fn short() -> Self {
        Self::whole(SHORT_MAX)
    }

    /// Of an object these fields, each short.
    #[must_use]
    pub fn shorts<'f>(fields: impl IntoIterator<Item = &'f str>) -> Self {
        Self::fields(fields.into_iter().map(|field| (field, Self::short())))
    }

    /// The whole value, of at most so many bytes.
    #[must_use]
    pub const fn whole(most: usize) -> Self {
        Self { want: Want::Whole, most }
    }

    /// Only that there is a value, whatever it is.
    #[must_use]
    pub const fn presence() -> Self {
        Self { want: Want::Presence, most: SHORT_MAX }
    }

    /// Of an object which of these fields there are.
    #[must_use]
    pub fn presences(fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::fields(fields.into_iter().map(|field| (field, Self::presence())))
    }

    /// Of an object these fields.
    #[must_use]
    pub fn fields(fields: impl IntoIterator<Item = (impl Into<String>, Self)>) -> Self {
        let fields = fields.into_iter().map(|(name, keep)| (name.into(), keep)).collect();
        Self { want: Want::Fields(fields), most: usize::MAX }
    }

    /// These fields as well.
    #[must_use]
    pub fn and(mut self, more: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        if let Want::Fields(fields) = &mut self.want {
            fields.extend(more.into_iter().map(|(name, keep)| (name.to_owned(), keep)));
        }
        self
    }

    /// Of a list this of every item, all in all of at most so many bytes.
    #[must_use]
    pub fn items(keep: Self, most: usize) -> Self {
        Self { want: Want::Items(Box::new(keep)), most }
    }

    /// Of a list this of every item, each by itself.
    #[must_use]
    pub fn each(keep: Self) -> Self {
        Self { want: Want::Each(Box::new(keep)), most: usize::MAX }
    }

    /// What is kept of the field of this key.
    pub(super) fn field(&self, key: &[u8]) -> Option<&Self> {
        let Want::Fields(fields) = &self.want else { return None };
        fields.iter().find(|(name, _)| name.as_bytes() == key).map(|(_, keep)| keep)
    }
}

/// Longer than any name in Kubernetes (253), label value (63) and time.
const SHORT_MAX: usize = 1_024;
