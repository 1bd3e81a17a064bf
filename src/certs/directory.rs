//! A pair that somebody else keeps, given as files: `tls.crt` and `tls.key`, as a mounted Secret has them.
//!
//! The files are read again and again instead of being watched: a mounted Secret changes by exchanging a symbolic
//! link above them, which a watch of the files never sees.

use std::io;
use std::path::PathBuf;

use rustls::crypto::CryptoProvider;

use super::serving::{Pair, PairError};

/// Where the two files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory(PathBuf);

/// The files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// One of them cannot be read.
    #[error("--certificate-directory: cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// They are not a pair.
    #[error("--certificate-directory {directory}: {cause}")]
    Pair {
        /// Where they are.
        directory: PathBuf,
        /// What is wrong with them.
        #[source]
        cause: PairError,
    },
}

impl Directory {
    /// Names it. Nothing is read yet.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Reads both files. They may be of two different versions if they change at this moment: then they are no pair,
    /// and the next reading is right.
    pub(super) async fn read(&self, provider: &CryptoProvider) -> Result<Pair, DirectoryError> {
        let (certificate, key) = (self.file("tls.crt").await?, self.file("tls.key").await?);
        Pair::parse(&certificate, &key, provider).map_err(|cause| self.rejected(cause))
    }

    /// The error of a pair that came from here.
    pub(super) fn rejected(&self, cause: PairError) -> DirectoryError {
        DirectoryError::Pair { directory: self.0.clone(), cause }
    }

    async fn file(&self, name: &str) -> Result<Vec<u8>, DirectoryError> {
        let path = self.0.join(name);
        tokio::fs::read(&path).await.map_err(|cause| DirectoryError::Read { path, cause })
    }
}
