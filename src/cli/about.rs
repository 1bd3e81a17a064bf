//! What this program is: version, commit, compiler, features. Pure.

use serde_json::json;

/// As one JSON object.
#[must_use]
pub fn json() -> String {
    let about = json!({
        "version": VERSION,
        "commit": COMMIT,
        "compiler": COMPILER,
        "features": features(),
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    });
    format!("{about:#}\n")
}

/// For a person.
#[must_use]
pub fn text() -> String {
    let commit = COMMIT.map(|commit| format!(", commit {commit}")).unwrap_or_default();
    let features = features().join(", ");
    format!("kubectl singleton-guard {VERSION}{commit} (rustc {COMPILER}; features {features})\n")
}

fn features() -> Vec<&'static str> {
    let features =
        [("cli", cfg!(feature = "cli")), ("elect", cfg!(feature = "elect")), ("server", cfg!(feature = "server"))];
    features.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect()
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Told by whoever builds, as to the server: looking for it would make the program depend on more than its sources.
const COMMIT: Option<&str> = option_env!("SINGLETON_GUARD_REVISION");
const COMPILER: &str = env!("SINGLETON_GUARD_RUSTC");
