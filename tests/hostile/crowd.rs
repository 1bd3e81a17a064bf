//! Peers at the operations port, which is plain: connections that say nothing, or nearly nothing, and come again when they
//! are closed; and the kubelet's probes among them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as Blocking};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// Connections that are kept open by one thread, until this is dropped.
pub(crate) struct Crowd {
    opened: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// So many that say nothing, and so many that send headers byte by byte; whoever is closed comes again after a pause.
    /// Returns when as many were open.
    pub(crate) fn start(address: SocketAddr, silent: usize, slow: usize, pause: Duration) -> Self {
        let limit = rlimit::increase_nofile_limit(DESCRIPTORS).unwrap();
        assert!(limit >= DESCRIPTORS, "the crowd needs {DESCRIPTORS} descriptors, and may have {limit}");
        let (opened, (stop, stopped)) = (Arc::new(AtomicUsize::new(0)), oneshot::channel());
        let counted = Arc::clone(&opened);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            for number in 0..silent + slow {
                let opened = Arc::clone(&counted);
                runtime.spawn(async move {
                    loop {
                        let stayed = stay(address, number >= silent, &opened).await;
                        // Whoever cannot even connect waits, or nobody else could.
                        sleep(if stayed.is_ok() { pause } else { PAUSE }).await;
                    }
                });
            }
            let _dropped = runtime.block_on(stopped);
        });
        let started = Instant::now();
        while opened.load(Ordering::Relaxed) < silent + slow && started.elapsed() < PATIENCE {
            thread::sleep(PAUSE);
        }
        Self { opened, stop: Some(stop), thread: Some(thread) }
    }

    /// How many connections were opened so far.
    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// Until it is closed.
async fn stay(address: SocketAddr, is_slow: bool, opened: &AtomicUsize) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    opened.fetch_add(1, Ordering::Relaxed);
    if is_slow {
        let _closed = stream.write_all(b"GET /livez HTTP/1.1\r\nx: ").await;
    }
    let pause = if is_slow { PAUSE } else { PATIENCE };
    while matches!(timeout(pause, stream.read(&mut [0; 64])).await, Err(_) | Ok(Ok(1..))) {
        if is_slow && stream.write_all(b"x").await.is_err() {
            break;
        }
    }
    Ok(())
}

/// A probe as the kubelet makes it: a connection of its own. Says how long it took, all in all.
pub(crate) fn probe(address: SocketAddr, path: &str) -> Result<Duration> {
    let started = Instant::now();
    let mut stream = Blocking::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer:?}");
    Ok(started.elapsed())
}

const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(20);
/// More than the silent ones and the slow ones take.
const DESCRIPTORS: u64 = 8_192;
