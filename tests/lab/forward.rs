//! The way from an ordinary shell into the lab: a loopback port outside -> a socket file -> the API server inside.
//!
//! A network namespace shares no address with the rest of the machine, but the file system is common to both. Bytes are
//! passed on unread: TLS is between the shell's kubectl and the API server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// The name of the socket in the work directory, which only its owner can enter.
pub(crate) const SOCKET: &str = "api.sock";

/// Outside: passes every connection to `door` on to the socket file. Until the lab has booted they are closed at once.
pub(crate) async fn to_socket(door: TcpListener, socket: PathBuf) {
    loop {
        match door.accept().await {
            Ok((near, _)) => {
                let socket = socket.clone();
                tokio::spawn(async move { pass(near, UnixStream::connect(socket).await).await });
            }
            Err(_) => tokio::time::sleep(OUT_OF_FILES).await,
        }
    }
}

/// Inside: passes every connection to the socket file on to `server`, for as long as the runtime lives.
///
/// # Errors
/// If the socket cannot be made: its path may be longer than the 107 bytes that Linux allows.
pub(crate) fn from_socket(socket: &Path, server: SocketAddr) -> std::io::Result<()> {
    let listener = UnixListener::bind(socket)?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((near, _)) => {
                    tokio::spawn(async move { pass(near, TcpStream::connect(server).await).await });
                }
                Err(_) => tokio::time::sleep(OUT_OF_FILES).await,
            }
        }
    });
    Ok(())
}

async fn pass<N, F>(mut near: N, far: std::io::Result<F>)
where
    N: AsyncRead + AsyncWrite + Unpin,
    F: AsyncRead + AsyncWrite + Unpin,
{
    // Either side may close whenever it likes; there is nobody to tell.
    if let Ok(mut far) = far {
        let _ = copy_bidirectional(&mut near, &mut far).await;
    }
}

/// `accept` fails when this process has no file descriptor left: wait instead of spinning.
const OUT_OF_FILES: Duration = Duration::from_millis(50);
