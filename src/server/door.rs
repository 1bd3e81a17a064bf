//! The port that API servers call: bound at the start, so that one that is taken is said at once, and listening only
//! from the moment at which somebody can be served.
//!
//! Until then the kernel refuses whoever comes, as if nobody were there, and an API server that is refused has time left
//! for another replica. One that were accepted and then failed would have learned nothing.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

/// A port that refuses connections, until it is opened.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    closed: Option<(TcpSocket, oneshot::Sender<TcpListener>)>,
}

/// Where the listener comes from once a [`Door`] is opened.
#[derive(Debug)]
pub struct Opened(oneshot::Receiver<TcpListener>);

impl Door {
    /// Takes the port. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// It is taken, or the address is not one of this machine.
    pub fn bind(address: SocketAddr) -> io::Result<(Self, Opened)> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Or a process that starts again would wait for the last connections of the one before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        // Port 0 is any free one.
        let address = socket.local_addr()?;
        let (sender, receiver) = oneshot::channel();
        Ok((Self { address, closed: Some((socket, sender)) }, Opened(receiver)))
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens from now on. One that is open stays so.
    ///
    /// # Errors
    /// Another process that had bound the same port was first to listen; then nobody is ever served here.
    pub fn open(&mut self) -> io::Result<()> {
        if let Some((socket, sender)) = self.closed.take() {
            // Nobody waits for it any more at the end of the process.
            let _stopping = sender.send(socket.listen(BACKLOG)?);
            tracing::info!(address = %self.address, flag = "port", "listening");
        }
        Ok(())
    }
}

impl Opened {
    /// Waits for it. None if the door can no longer be opened.
    pub(super) async fn listener(self) -> Option<TcpListener> {
        self.0.await.ok()
    }
}

/// As many as `TcpListener::bind` of Tokio asks for; the kernel may hold fewer.
const BACKLOG: u32 = 1024;
