//! The bytes of an OCI image layout (opencontainers/image-spec, `image-layout.md`) with one layer of one file.
//!
//! Nothing in them depends on when or where they are written: entries have an order, owners and times are fixed.

use anyhow::Result;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

/// The layout as a tar file, and the digest of the image.
pub(crate) fn write(binary: &[u8], architecture: &str, created: u64) -> Result<(Vec<u8>, String)> {
    let created_at = time::OffsetDateTime::from_unix_timestamp(created.try_into()?)?;
    let created_at = created_at.format(&time::format_description::well_known::Rfc3339)?;
    let layer = archive(&[(PROGRAM.to_owned(), binary, 0o755)], created)?;
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": created_at,
        // nobody, as in distroless' "nonroot"; and what the Dockerfile says about huge pages
        "config": {
            "User": "65532:65532",
            "Env": ["MIMALLOC_ALLOW_THP=0"],
            "Entrypoint": [format!("/{PROGRAM}")],
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))] },
        "history": [{ "created": created_at, "comment": "one static program" }],
    })
    .to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes()),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        "annotations": {
            "org.opencontainers.image.title": PROGRAM,
            "org.opencontainers.image.version": VERSION,
            "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
        },
    })
    .to_string();
    let mut entry = descriptor(MANIFEST, manifest.as_bytes());
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": VERSION });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    })
    .to_string();
    let mut blobs: Vec<_> = [layer.as_slice(), config.as_bytes(), manifest.as_bytes()]
        .map(|blob| (format!("blobs/sha256/{}", sha256(blob)), blob, 0o644))
        .into();
    blobs.push(("index.json".to_owned(), index.as_bytes(), 0o644));
    blobs.push(("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644));
    blobs.sort();
    Ok((archive(&blobs, created)?, sha256(manifest.as_bytes())))
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{}", sha256(blob)), "size": blob.len() })
}

/// Files with a name, bytes and a mode, all of them root's.
fn archive(files: &[(String, &[u8], u32)], time: u64) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes, mode) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len().try_into()?);
        header.set_mode(*mode);
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, name, *bytes)?;
    }
    Ok(archive.into_inner()?)
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

const PROGRAM: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
