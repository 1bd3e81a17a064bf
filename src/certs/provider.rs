//! The cryptography that was chosen when this was built.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

#[cfg(feature = "aws-lc")]
use rustls::crypto::aws_lc_rs as chosen;
#[cfg(all(feature = "ring", not(feature = "aws-lc")))]
use rustls::crypto::ring as chosen;

#[cfg(not(any(feature = "aws-lc", feature = "ring")))]
compile_error!("feature \"server\" needs its cryptography: choose feature \"aws-lc\" (the default) or \"ring\"");

/// The provider for everything that speaks TLS: aws-lc where both were chosen.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(chosen::default_provider())
}
