//! The wire: the bytes of an `AdmissionReview` (`admission.k8s.io/v1`) in, a request out; a decision in, bytes out.
//!
//! Own types, borrowed from the body: kube's `AdmissionReview<DynamicObject>` keeps the whole object, at several
//! times the cost, and refuses deeply nested ones. No decision is taken here.

mod read;
mod write;

pub use read::{Review, Uid, Unreadable, read};
pub use write::write;
