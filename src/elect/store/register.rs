//! What the lock asks of a store: one cell with a compare and swap; and how a store fails to answer. Pure.

use std::future::Future;

use thiserror::Error;

use crate::elect::record::{Cell, Record, Revision};

/// One cell. Whoever drops a call before it has an answer does not know what became of it.
pub trait Register {
    /// What is in it.
    fn read(&self) -> impl Future<Output = Result<Cell, Failed>> + Send;

    /// Writes it if it still is at this revision, or absent. None: it was not, and nothing was written.
    fn swap(
        &self,
        from: Option<Revision>,
        next: &Record,
    ) -> impl Future<Output = Result<Option<Revision>, Failed>> + Send;
}

/// Why a call has no answer. A swap that failed was done, or was not, or will be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failed {
    /// Nobody answered.
    #[error("{0} cannot be reached: {1}")]
    Unreached(String, String),
    /// Who asks is not known.
    #[error("the store does not accept who asks (401{}): see the token, the certificate or the password", said(.0))]
    Unknown(String),
    /// Who asks may not.
    #[error("no right to {0} the record (403{more})", more = said(.1))]
    Forbidden(&'static str, String),
    /// There is no such thing, and it cannot be made.
    #[error("the record cannot be made (404{}): does its namespace exist?", said(.0))]
    NoPlace(String),
    /// It is overloaded, or full.
    #[error("the store takes nothing more (429{}): it is full, or overloaded", said(.0))]
    Full(String),
    /// It cannot do its work.
    #[error("the store cannot answer ({0}{more})", more = said(.1))]
    Unable(u16, String),
    /// It has answered something else.
    #[error("the store's answer is not understood: {0}")]
    Unreadable(String),
    /// Something that was configured cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl Failed {
    /// From an HTTP status that is not a success, and the body that came with it.
    #[must_use]
    pub fn of(status: u16, doing: &'static str, body: &[u8]) -> Self {
        let said = serde_json::from_slice::<serde_json::Value>(body).ok();
        let said = said.as_ref().and_then(|body| body.get("message")).and_then(serde_json::Value::as_str);
        let said: String = said.unwrap_or_default().chars().filter(|char| !char.is_control()).take(SAID_MAX).collect();
        match status {
            401 => Self::Unknown(said),
            403 => Self::Forbidden(doing, said),
            404 => Self::NoPlace(said),
            429 => Self::Full(said),
            other => Self::Unable(other, said),
        }
    }
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// A store may say a page.
const SAID_MAX: usize = 160;
