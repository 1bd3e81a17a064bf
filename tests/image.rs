//! Writes the image without a daemon: an OCI layout as one tar file, from the static binary alone, and beside it the list of
//! what is in the binary. The same binary gives the same bytes.
//!
//! ```text
//! rustup target add x86_64-unknown-linux-musl
//! AWS_LC_SYS_NO_JITTER_ENTROPY=1 cargo build --release --locked --target x86_64-unknown-linux-musl --bin singleton-guard
//! cargo run --example image -- --binary target/x86_64-unknown-linux-musl/release/singleton-guard --output image.tar
//! skopeo copy oci-archive:image.tar docker://registry.example.com/singleton-guard:0.1.0
//! ```
//!
//! It builds nothing and talks to nobody.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]
#![allow(clippy::indexing_slicing, reason = "of JSON, where what is absent is null")]

#[path = "image/layout.rs"]
mod layout;
#[path = "image/sbom.rs"]
mod sbom;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

/// Writes an OCI image layout and a `CycloneDX` file.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program, linked statically.
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// The layout, to be written.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// The architecture in the Open Container Initiative's terms, as `amd64` or `arm64`.
    #[arg(long, default_value = "amd64")]
    architecture: String,
    /// The target that the list of components is made for.
    #[arg(long, default_value = "x86_64-unknown-linux-musl")]
    target: String,
    /// When the image was made, in seconds since 1970.
    #[arg(long, env = "SOURCE_DATE_EPOCH", default_value_t = 0)]
    created: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let binary = fs::read(&arguments.binary).with_context(|| arguments.binary.display().to_string())?;
    // Where there is nothing else, a program that names an interpreter does not start.
    let interpreter = b"/lib64/ld-linux-x86-64.so.2".as_slice();
    let is_dynamic = binary.windows(interpreter.len()).any(|window| window == interpreter);
    ensure!(!is_dynamic, "{} is not linked statically: build it for a musl target", arguments.binary.display());
    let (image, digest) = layout::write(&binary, &arguments.architecture, arguments.created)?;
    fs::write(&arguments.output, image).with_context(|| arguments.output.display().to_string())?;
    let components = arguments.output.with_extension("cdx.json");
    fs::write(&components, sbom::write(&arguments.target)?).with_context(|| components.display().to_string())?;
    println!("{}  sha256:{digest}\n{}", arguments.output.display(), components.display());
    Ok(())
}
