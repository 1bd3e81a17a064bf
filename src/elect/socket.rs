//! The local socket, at which `elect status` and `elect step-down` ask the elect beside them. It has no file: its name is
//! in the network namespace, so it is there also where nothing can be written, in all containers of a Pod, and it is gone
//! with the process. It answers only its own user and root.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener as Opened, UnixStream as Connected};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use super::control::{Control, now};

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// How it is.
    Status,
    /// To hand over.
    StepDown,
}

impl Question {
    fn line(self) -> &'static [u8] {
        match self {
            Self::Status => b"status\n",
            Self::StepDown => b"step-down\n",
        }
    }
}

/// Opens it. Only one elect with a lock and an identity can.
pub fn open(lock: &str, identity: &str) -> io::Result<UnixListener> {
    let opened = Opened::bind_addr(&address(lock, identity)?)?;
    opened.set_nonblocking(true)?;
    UnixListener::from_std(opened)
}

/// Answers until the process ends.
pub async fn serve(listener: UnixListener, control: Arc<Control>) {
    let own = rustix::process::geteuid().as_raw();
    loop {
        match listener.accept().await {
            Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0) => {
                // One after the other: who asks is a person, or a hook.
                let _answered = timeout(PATIENCE, answer(stream, &control)).await;
            }
            Ok(_) => {}
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Asks the elect that runs here.
pub fn ask(lock: &str, identity: &str, question: Question) -> io::Result<String> {
    let mut stream = Connected::connect_addr(&address(lock, identity)?)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(question.line())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

async fn answer(mut stream: UnixStream, control: &Control) -> io::Result<()> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") && line.len() < LINE {
        line.push(stream.read_u8().await?);
    }
    let text = if line == Question::Status.line() {
        control.status().shown(now())
    } else if line == Question::StepDown.line() {
        if control.ask_to_hand_over() { HANDS_OVER.to_owned() } else { PASSIVE.to_owned() }
    } else {
        "it knows status and step-down".to_owned()
    };
    stream.write_all(text.as_bytes()).await?;
    stream.write_all(b"\n").await
}

/// A name of fixed length: that of a lock may be longer than a socket's can be.
fn address(lock: &str, identity: &str) -> io::Result<SocketAddr> {
    let mut hasher = DefaultHasher::new();
    (lock, identity).hash(&mut hasher);
    SocketAddr::from_abstract_name(format!("singleton-guard/elect/{:016x}", hasher.finish()))
}

/// The answer of a replica that holds the lock.
pub const HANDS_OVER: &str = "its command ends, and then the lock is released";
/// The answer of another one.
pub const PASSIVE: &str = "it is passive, and has nothing to hand over";
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);
const LINE: usize = 32;
