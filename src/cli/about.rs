//! What this program is: version, commit, compiler, features, platform. Pure.

use serde_json::json;

/// As one JSON object. `platform` is what it was built for, as in `linux/x86_64`.
#[must_use]
pub fn json(platform: &str) -> String {
    let about = json!({
        "version": VERSION,
        "commit": COMMIT,
        "compiler": COMPILER,
        "features": features(),
        "platform": platform,
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
