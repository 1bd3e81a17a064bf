//! Where manifests come from: files, folders, standard input. What cannot be read is a fault with a name, and never stops the
//! rest.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Hands on each file with its name and its text, or the reason why it cannot be read.
pub fn files(paths: &[PathBuf], each: &mut impl FnMut(&str, Result<&str, &str>)) {
    for path in paths {
        if path == Path::new("-") {
            hand_on("<stdin>", &read(&mut io::stdin().lock()), each);
            continue;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => directory(path, &mut Vec::new(), each),
            Ok(metadata) => file(path, metadata.file_type(), true, each),
            Err(error) => each(&path.display().to_string(), Err(&words(&error))),
        }
    }
}

/// All manifests below a directory, in the order of their names. `above` are the directories that it is in, by their real
/// paths: one of them below itself is a loop of links.
fn directory(path: &Path, above: &mut Vec<PathBuf>, each: &mut impl FnMut(&str, Result<&str, &str>)) {
    let name = path.display().to_string();
    let entries = fs::canonicalize(path).and_then(|real| {
        let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
        Ok((real, entries.collect::<Result<BTreeSet<_>, _>>()?))
    });
    let (real, entries) = match entries {
        Ok(found) => found,
        Err(error) => return each(&name, Err(&words(&error))),
    };
    if above.contains(&real) {
        return each(&name, Err("this link leads back into a folder that it is in"));
    }
    above.push(real);
    for entry in entries {
        let is_hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_manifest = entry.extension().and_then(OsStr::to_str).is_some_and(|it| ENDINGS.contains(&it));
        match fs::metadata(&entry) {
            Ok(metadata) if metadata.is_dir() && !is_hidden => directory(&entry, above, each),
            Ok(metadata) if is_manifest && !metadata.is_dir() => file(&entry, metadata.file_type(), false, each),
            Err(error) if is_manifest => each(&entry.display().to_string(), Err(&words(&error))),
            _ => {}
        }
    }
    above.pop();
}

/// One file. What was named may be a pipe, as in `check <(helm template .)`; what is found in a folder may not.
fn file(path: &Path, kind: FileType, is_named: bool, each: &mut impl FnMut(&str, Result<&str, &str>)) {
    let name = path.display().to_string();
    if kind.is_file() || is_named && is_stream(kind) {
        let text = File::open(path).map_err(|error| words(&error)).and_then(|mut file| read(&mut file));
        hand_on(&name, &text, each);
    } else {
        each(&name, Err("it is neither a file nor a folder"));
    }
}

#[cfg(unix)]
fn is_stream(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_fifo() || kind.is_char_device()
}

#[cfg(not(unix))]
fn is_stream(_: FileType) -> bool {
    false
}

fn hand_on(name: &str, text: &Result<String, String>, each: &mut impl FnMut(&str, Result<&str, &str>)) {
    each(name, text.as_deref().map_err(String::as_str));
}

fn read(from: &mut impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(SIZE_MAX + 1).read_to_end(&mut bytes).map_err(|error| words(&error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > SIZE_MAX {
        return Err("it has more than 64 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return "it is text in UTF-16: save it as UTF-8".to_owned();
        }
        let line = bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        format!("it is not text in UTF-8: line {line} has other bytes")
    })
}

/// What the system says, without its number.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
        _ => error.to_string(),
    }
}

/// As kubectl knows manifests by (`resource.FileExtensions`).
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];
/// Far more than any set of manifests: etcd holds objects of 1.5 MiB.
const SIZE_MAX: u64 = 64 << 20;
