//! A way to the API server that a test can make bad, as networks and busy servers are. The real API server is at its end,
//! and TLS passes through unread.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What the way is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// As if it were not there.
    Good,
    /// Each piece of an answer takes so much longer.
    Slow(Duration),
    /// Connections are accepted and kept, and nothing gets through.
    Silent,
    /// Every connection is closed, open ones and new ones.
    Cut,
}

/// A port on 127.0.0.1 that leads there until this is dropped.
pub struct Route {
    /// Where it begins.
    pub address: SocketAddr,
    quality: watch::Sender<Quality>,
    _task: JoinSet<()>,
}

impl Route {
    /// Lays it; it is good.
    pub async fn lay(end: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (quality, seen) = watch::channel(Quality::Good);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                if *seen.borrow() != Quality::Cut {
                    connections.spawn(connection(near, end, seen.clone()));
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, quality, _task: task })
    }

    /// From now on it is like this.
    pub fn becomes(&self, quality: Quality) {
        self.quality.send_replace(quality);
    }
}

async fn connection(mut near: TcpStream, end: SocketAddr, quality: watch::Receiver<Quality>) {
    let Ok(mut far) = TcpStream::connect(end).await else { return };
    let ((asks, hears), (gets, answers)) = (near.split(), far.split());
    let mut cut = quality.clone();
    tokio::select! {
        () = pass(asks, answers, quality.clone(), false) => {}
        () = pass(gets, hears, quality, true) => {}
        _ = cut.wait_for(|quality| *quality == Quality::Cut) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut quality: watch::Receiver<Quality>,
    is_answer: bool,
) {
    let mut bytes = vec![0; 16 << 10];
    // Either side may close whenever it likes; there is nobody to tell.
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let Ok(now) = quality.wait_for(|quality| *quality != Quality::Silent).await.map(|now| *now) else { return };
        if let (Quality::Slow(longer), true) = (now, is_answer) {
            sleep(longer).await;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
