//! The work directory of one lab: private, outside the checkout, gone when the lab is gone.
//!
//! A lab that was killed cannot clean up, so the next one does: a directory whose lock nobody holds has lost its owner.
//! The lock, unlike a process id, means the same in every PID namespace.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The directory, owned by this process. Only [`WorkDirectory::remove`] deletes it.
#[derive(Debug)]
pub(crate) struct WorkDirectory {
    path: PathBuf,
    /// Locked until this process ends, however it ends.
    _owner: File,
    keep: bool,
}

impl WorkDirectory {
    /// Makes a fresh directory that only this user can enter, after removing those whose owners are gone.
    ///
    /// With `SINGLETON_GUARD_LAB_KEEP=1` in the environment it outlives the lab.
    pub(crate) fn create() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        sweep(&parent);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let path = parent.join(format!("{PREFIX}{}-{:x}", std::process::id(), now & 0xff_ffff_ffff));
        // 0700: it holds private keys. Fails if the path exists, whoever made it.
        DirBuilder::new().mode(0o700).create(&path)?;
        // Locked before it has its name, so that nobody can find it unlocked.
        let unnamed = path.join("owner.new");
        let owner = OpenOptions::new().write(true).create_new(true).open(&unnamed)?;
        owner.lock()?;
        std::fs::rename(unnamed, path.join(OWNER))?;
        let keep = std::env::var_os(KEEP).is_some_and(|value| value == "1");
        if keep {
            File::create(path.join(KEPT))?;
        }
        Ok(Self { path, _owner: owner, keep })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, or says where it stays.
    ///
    /// # Errors
    /// What the file system said, if something still writes into it two seconds after the processes were killed.
    pub(crate) fn remove(self) -> io::Result<Option<PathBuf>> {
        if self.keep {
            return Ok(Some(self.path));
        }
        // The kernel ends a PID namespace a moment after its first process, so a file may still appear meanwhile.
        for _ in 0..40 {
            if std::fs::remove_dir_all(&self.path).is_ok() {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        std::fs::remove_dir_all(&self.path).map(|()| None)
    }
}

/// The last `lines` lines of a log, indented, for an error message.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    match std::fs::read(log) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            let last = all.get(all.len().saturating_sub(lines)..).unwrap_or_default();
            last.iter().flat_map(|line| ["    ", line, "\n"]).collect()
        }
        Err(error) => format!("    (cannot read {}: {error})\n", log.display()),
    }
}

/// Removes the directories that labs left behind when they were killed.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || path.join(KEPT).exists() {
            continue;
        }
        // Somebody else's directory, or one that is being made just now, cannot be opened here.
        let Ok(owner) = OpenOptions::new().write(true).open(path.join(OWNER)) else { continue };
        match owner.try_lock() {
            // Another lab may be removing it too: then there is nothing left to do.
            Ok(()) => drop(std::fs::remove_dir_all(&path)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

const PREFIX: &str = "singleton-guard-lab-";
const OWNER: &str = "owner";
const KEPT: &str = "keep";
/// With the value 1 the work directory outlives the lab.
pub(crate) const KEEP: &str = "SINGLETON_GUARD_LAB_KEEP";
