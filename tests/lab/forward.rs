//! The way from an ordinary shell into the lab: a loopback port outside -> a socket file -> the API server inside.
//!
//! A network namespace shares no address with the rest of the machine, but the file system is common to both. Bytes are
//! passed on unread: TLS is between the shell's kubectl and the API server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// The name of the socket in the work directory, which only its owner can enter.
pub(crate) const SOCKET: &str = "api.sock";

/// Outside: passes every connection to `door` on to the socket file. Until the lab has booted they are closed at once.
pub(crate) async fn to_socket(door: TcpListener, socket: PathBuf) {
    loop {
        match door.accept().await {
            Ok((tcp, _)) => {
                let socket = socket.clone();
                tokio::spawn(async move { pass(tcp, UnixStream::connect(socket).await?).await });
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
                Ok((unix, _)) => {
                    tokio::spawn(async move { pass(TcpStream::connect(server).await?, unix).await });
                }
                Err(_) => tokio::time::sleep(OUT_OF_FILES).await,
            }
        }
    });
    Ok(())
}

/// Passes bytes on in both directions. Either side may close whenever it likes, so nobody reads the error.
async fn pass(mut tcp: TcpStream, mut unix: UnixStream) -> std::io::Result<()> {
    // Both ends write an HTTP/2 frame, or the last part of an answer, in a segment of its own. Without this the kernel
    // keeps it back until the segment before is acknowledged (Nagle), which Linux delays by 40 ms.
    tcp.set_nodelay(true)?;
    copy_bidirectional(&mut tcp, &mut unix).await.map(drop)
}

/// `accept` fails when this process has no file descriptor left: wait instead of spinning.
const OUT_OF_FILES: Duration = Duration::from_millis(50);
