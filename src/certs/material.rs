//! What the Secret holds, as values: certificates and keys in PEM. Nothing is made, read or written here.

use std::time::SystemTime;

/// A leaf, its key and its authority; and, during a rotation, the authority that follows or the one that went before.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    /// `ca.crt`: who signed the leaf.
    pub authority: String,
    /// `ca.key`: kept so that another leaf can be signed without a change of trust.
    pub authority_key: String,
    /// `tls.crt`: what this process shows.
    pub leaf: String,
    /// `tls.key`.
    pub leaf_key: String,
    /// The authority that is announced.
    pub next: Option<Next>,
    /// The authority before this one.
    pub previous: Option<Previous>,
}

/// An authority that is trusted already, and has signed nothing yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Next {
    /// `next-ca.crt`.
    pub authority: String,
    /// `next-ca.key`.
    pub authority_key: String,
}

/// An authority that is trusted still, and signs nothing any more: its key is gone.
#[derive(Clone, PartialEq, Eq)]
pub struct Previous {
    /// `previous-ca.crt`.
    pub authority: String,
    /// `previous-ca.until`: when the trust in it ends.
    pub until: SystemTime,
}

impl Material {
    /// Every authority that is to be trusted, oldest first: so that the text does not change when one takes the place
    /// of another.
    #[must_use]
    pub fn bundle(&self) -> String {
        let previous = self.previous.as_ref().map(|previous| previous.authority.as_str());
        let next = self.next.as_ref().map(|next| next.authority.as_str());
        previous.into_iter().chain([self.authority.as_str()]).chain(next).collect()
    }

    /// Whether the same authorities have the same parts. Leaves may differ.
    pub(super) fn same_trust(&self, other: &Self) -> bool {
        self.bundle() == other.bundle() && self.authority == other.authority
    }

    /// Whether this has followed from the other without a moment in which a leaf of the other was not trusted.
    pub(super) fn still_trusts(&self, other: &Self) -> bool {
        let previous = self.previous.as_ref().map(|previous| &previous.authority);
        self.authority == other.authority || previous == Some(&other.authority)
    }
}

impl std::fmt::Debug for Material {
    /// Without the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").finish_non_exhaustive()
    }
}
