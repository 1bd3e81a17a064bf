//! YAML and JSON as kubectl reads them, with the place of every value. Pure.
//!
//! serde would lose the places, and resolves scalars by YAML 1.2; kubectl resolves them by 1.1 (`yes` is a boolean, `010`
//! is eight), and a check that reads another manifest than the API server does is worth nothing.

mod compose;
mod json;
mod scalar;
mod tree;

pub use compose::{Document, Fault, documents};
pub use tree::{Content, Key, Node, Place};
