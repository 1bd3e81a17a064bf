//! How the process of a container is started: in mounts of its own, with the root directory of an image `FROM scratch`.
//!
//! The root holds the program, the Pod's volumes at their mount paths, `/proc`, a few devices, and, because a debug
//! build is linked dynamically, the machine's libraries, read-only. `readOnlyRootFilesystem` is enforced.
//! Not played: users and capabilities (inside the lab there is only one user, its root), resource limits, seccomp.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt as _;
use tokio::process::Command;

use super::environment::{self, expand};
use super::kubelet::Kubelet;

/// The command that becomes the container's process: `exec` all the way, so its process id is the program's.
///
/// # Errors
/// If the container asks for what cannot be given, with a sentence that says what.
pub(super) async fn command(
    kubelet: &Kubelet,
    pod: &Pod,
    container: &Container,
    address: &str,
    volumes: &Path,
) -> Result<Command, String> {
    refuse_what_is_not_played(container)?;
    let variables = environment::variables(kubelet, pod, container, address).await.map_err(|e| format!("{e:#}"))?;
    let expanded = |words: &Option<Vec<String>>| -> Vec<String> {
        words.iter().flatten().map(|word| expand(word, &variables)).collect()
    };
    let mut words = expanded(&container.command);
    if words.is_empty() {
        words.push(ENTRYPOINT.to_owned());
    }
    words.extend(expanded(&container.args));

    let key = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
    let log = kubelet.output_file(&key, &container.name);
    let output = OpenOptions::new().create(true).append(true).open(&log);
    let output = output.map_err(|error| format!("{}: {error}", log.display()))?;
    let errors = output.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;

    let root = volumes.join(".root");
    std::fs::create_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
    let read_only_root = container.security_context.as_ref().and_then(|context| context.read_only_root_filesystem);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--", "/bin/sh", "-euc", MAKE_ROOT, "sh"])
        .arg(&root)
        .arg(mode(read_only_root.unwrap_or(false)))
        .arg(kubelet.program(container.image.as_deref()).unwrap_or_default())
        .arg(ENTRYPOINT);
    let mut mounts = container.volume_mounts.clone().unwrap_or_default();
    // A mount inside another comes after it.
    mounts.sort_by_key(|mount| mount.mount_path.len());
    for mount in mounts {
        let mut source = volumes.join(&mount.name);
        if let Some(path) = &mount.sub_path {
            source.push(path);
        }
        command.arg(source).arg(&mount.mount_path).arg(mode(mount.read_only.unwrap_or(false)));
    }
    command
        .arg("--")
        .args(words)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOSTNAME", pod.name_any())
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .kill_on_drop(true);
    Ok(command)
}

/// A field that would change what the process does must not be passed over in silence.
fn refuse_what_is_not_played(container: &Container) -> Result<(), String> {
    let hooks = container.lifecycle.as_ref();
    let post_start = hooks.and_then(|hooks| hooks.post_start.as_ref());
    let pre_stop = hooks.and_then(|hooks| hooks.pre_stop.as_ref());
    let field = if post_start.is_some() {
        "lifecycle.postStart"
    } else if pre_stop.is_some_and(|hook| hook.exec.is_some() || hook.http_get.is_some() || hook.tcp_socket.is_some()) {
        "lifecycle.preStop other than sleep"
    } else if container.working_dir.as_deref().is_some_and(|directory| directory != "/") {
        "workingDir"
    } else if container.volume_devices.is_some() {
        "volumeDevices"
    } else {
        return Ok(());
    };
    Err(format!("the node of the lab does not play {field}"))
}

fn mode(read_only: bool) -> &'static str {
    if read_only { "ro" } else { "rw" }
}

/// The program in our image, as the Dockerfile's ENTRYPOINT names it.
const ENTRYPOINT: &str = "/singleton-guard";

/// `ROOT MODE BINARY ENTRYPOINT [SOURCE TARGET MODE]... -- WORD...`
const MAKE_ROOT: &str = r#"
root=$1 mode=$2 binary=$3 entrypoint=$4
shift 4
mount -t tmpfs -o mode=755 none "$root"
bind() { # source, target inside, mode
  if [ -d "$1" ]; then
    mkdir -p "$root$2"
  else
    mkdir -p "$(dirname "$root$2")"
    [ -e "$root$2" ] || : > "$root$2"
  fi
  mount --rbind "$1" "$root$2"
  if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
}
bind "$binary" "$entrypoint" ro
for library in /usr /lib /lib64; do
  if [ -L "$library" ]; then
    ln -s "$(readlink "$library")" "$root$library"
  elif [ -d "$library" ]; then
    bind "$library" "$library" ro
  fi
done
bind /proc /proc rw
for device in null zero random urandom; do bind "/dev/$device" "/dev/$device" rw; done
while [ "$1" != -- ]; do
  bind "$1" "$2" "$3"
  shift 3
done
shift
if [ "$mode" = ro ]; then mount -o remount,ro "$root"; fi
unset PWD OLDPWD
exec chroot "$root" "$@"
"#;
