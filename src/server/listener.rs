//! The port that API servers call: it listens from the start, and whoever comes is let in from the moment at which
//! somebody can be served.
//!
//! Until then they wait in the kernel's queue, for as long as they like. An API server calls once: a connection that is
//! refused, or a handshake that fails for want of a certificate, is a call that has failed, while a process
//! that starts has its certificate within the time that a call may take.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A port at which connections wait until it is opened.
#[derive(Debug)]
pub struct GatedListener {
    address: SocketAddr,
    closed: Option<(TcpListener, oneshot::Sender<TcpListener>)>,
}

/// Where the listener comes from once a [`GatedListener`] is opened.
#[derive(Debug)]
pub struct PendingListener(oneshot::Receiver<TcpListener>);

impl GatedListener {
    /// Takes the port.
    ///
    /// # Errors
    /// It is taken, or the address is not one of this machine.
    pub async fn listen(address: SocketAddr) -> io::Result<(Self, PendingListener)> {
        let listener = TcpListener::bind(address).await?;
        // Port 0 is any free one.
        let address = listener.local_addr()?;
        tracing::info!(%address, flag = "port", "listening");
        let (sender, receiver) = oneshot::channel();
        Ok((Self { address, closed: Some((listener, sender)) }, PendingListener(receiver)))
    }

    /// Address and port, as bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets everybody in from now on. One that is open stays so.
    pub fn open(&mut self) {
        if let Some((listener, sender)) = self.closed.take() {
            // Nobody waits for it any more at the end of the process.
            let _stopping = sender.send(listener);
        }
    }
}

impl PendingListener {
    /// Waits until the port is opened. None if it can no longer be opened.
    pub(super) async fn listener(self) -> Option<TcpListener> {
        self.0.await.ok()
    }
}
