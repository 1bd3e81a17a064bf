//! How a command is started in Linux namespaces of its own, with util-linux and without root.
//!
//! Two things come from here: the walls (an own network, own mounts) and the certain end (an own PID namespace dies
//! with its first process, and that process dies with us). It knows nothing of what runs inside.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// The way in which this machine lets us make namespaces. See `unshare(1)` and `user_namespaces(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namespaces {
    /// In a user namespace where we are root, and nowhere else. Needs no privilege.
    Unprivileged,
    /// Without a user namespace, because we are root already and the machine forbids user namespaces.
    AsRoot,
}

/// What the inside sees of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// A network of its own with nothing but a loopback device, which is down at first.
    Own,
    /// The network of the caller.
    Shared,
}

/// Why namespaces cannot be had here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoNamespaces {
    /// A program that the lab calls is not installed.
    #[error("`{tool}` cannot be started ({error}): install {package}")]
    Tool {
        /// The program.
        tool: &'static str,
        /// The Linux package that has it.
        package: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// The kernel or a container runtime refuses them.
    #[error(
        "the system refuses new user, network, mount and PID namespaces ({}): allow unprivileged user \
         namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)",
        reasons.join("; as root: ")
    )]
    Refused {
        /// The first line of what `unshare` said, for each way that was tried.
        reasons: Vec<String>,
    },
}

impl Namespaces {
    /// Finds a way by trying: makes namespaces, adds an address to their loopback device, leaves them.
    ///
    /// # Errors
    /// [`NoNamespaces`] with the reason if no way works.
    pub(crate) fn probe() -> Result<Self, NoNamespaces> {
        for (tool, package) in TOOLS {
            let tried = Command::new(tool).arg("-V").stdin(Stdio::null()).output();
            tried.map_err(|error| NoNamespaces::Tool { tool, package, error })?;
        }
        let mut reasons = Vec::new();
        for way in [Self::Unprivileged, Self::AsRoot] {
            let tried = way
                .command(Network::Own, "ip")
                .args(["address", "add", "10.0.0.1/32", "dev", "lo"])
                .stdin(Stdio::null())
                .output()
                .map_err(|error| NoNamespaces::Tool { tool: "setpriv", package: "util-linux", error })?;
            if tried.status.success() {
                return Ok(way);
            }
            let errors = String::from_utf8_lossy(&tried.stderr);
            reasons.push(errors.lines().next().unwrap_or("no reason given").to_owned());
        }
        Err(NoNamespaces::Refused { reasons })
    }

    /// A command that runs `program` as the first process of a new PID namespace, with own mounts and its own `/proc`.
    ///
    /// It is killed when the thread that spawns it ends, and everything it started is killed with it.
    pub(crate) fn command(self, network: Network, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        // The chain: the caller ends -> the kernel kills `unshare` (pdeathsig) -> the kernel kills the first process
        // inside (kill-child) -> the PID namespace ends with everything in it.
        command.args(["--pdeathsig", "KILL", "--", "unshare"]);
        if self == Self::Unprivileged {
            command.args(["--user", "--map-root-user"]);
        }
        if network == Network::Own {
            command.arg("--net");
        }
        command.args(["--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]);
        command.arg(program);
        command
    }
}

/// The programs that the lab calls, and the Debian package of each (other distributions use the same names).
const TOOLS: [(&str, &str); 5] = [
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "util-linux (Debian: mount)"),
    ("ip", "iproute2"),
    ("chroot", "coreutils"),
];
