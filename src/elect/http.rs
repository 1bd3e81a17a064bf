//! How a replica is, over HTTP: `/status`, `/active`, `/watch`, `/metrics`, `/readyz` and `/livez`. Nothing can be changed
//! here, and nothing is secret.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::control::{Control, now};

type Body = Either<Full<Bytes>, Channel<Bytes, Infallible>>;

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, control: Arc<Control>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let control = Arc::clone(&control);
                tokio::spawn(async move {
                    connection(stream, control).await;
                    drop(place);
                });
            }
            // Too many open files, for example: it may be better a moment later.
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Opens it.
pub async fn listen(address: &str) -> io::Result<TcpListener> {
    // As in Go and in Kubernetes, no host means all of them.
    let all = if address.starts_with(':') { format!("[::]{address}") } else { address.to_owned() };
    match TcpListener::bind(&all).await {
        Err(_) if address.starts_with(':') => TcpListener::bind(format!("0.0.0.0{address}")).await,
        bound => bound,
    }
}

async fn connection(stream: TcpStream, control: Arc<Control>) {
    let answer = service_fn(move |request| {
        let answer = answer(&request, &control);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(BUFFER);
    // Who goes away in the middle is nobody's trouble.
    let _ended = server.serve_connection(TokioIo::new(stream), answer).await;
}

fn answer(request: &Request<Incoming>, control: &Arc<Control>) -> Response<Body> {
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET\n".to_owned());
    }
    let (status, now) = (control.status(), now());
    let ok_if = |ok: bool, yes: &str, no: &str| {
        let (code, words) = if ok { (StatusCode::OK, yes) } else { (StatusCode::SERVICE_UNAVAILABLE, no) };
        text(code, PLAIN, format!("{words}\n"))
    };
    match request.uri().path() {
        "/status" => text(StatusCode::OK, JSON, status.shown(now) + "\n"),
        "/active" => ok_if(status.active(now), "active", status.role.name()),
        "/watch" => events(control),
        "/metrics" => text(StatusCode::OK, METRICS, control.metrics.shown(&status, now)),
        "/readyz" => ok_if(status.ready(now), "ok", "the store was not heard for longer than the lease lasts"),
        "/livez" => ok_if(status.keeper_answers, "ok", "the keeper does not answer"),
        _ => text(StatusCode::NOT_FOUND, PLAIN, "try /status\n".to_owned()),
    }
}

fn text(code: StatusCode, kind: &'static str, words: String) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(words)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

/// The status as server-sent events: at once, whenever it changes, and often enough that its end is noticed.
fn events(control: &Arc<Control>) -> Response<Body> {
    let (sender, body) = Channel::new(1);
    tokio::spawn(follow(Arc::clone(control), sender));
    let mut response = Response::new(Either::Right(body));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, http::HeaderValue::from_static("no-cache"));
    response
}

async fn follow(control: Arc<Control>, mut sender: Sender<Bytes>) {
    let mut changes = control.follow();
    loop {
        let line = changes.borrow_and_update().shown(now());
        if !matches!(timeout(IDLE, sender.send_data(format!("data: {line}\n\n").into())).await, Ok(Ok(()))) {
            return;
        }
        // Unchanged, it is shown again, with the validity of then.
        if matches!(timeout(HEARTBEAT, changes.changed()).await, Ok(Err(_))) {
            return;
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// A probe, a scraper and some followers.
const CONNECTIONS: usize = 64;
const PAUSE: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A request here is a few lines; hyper takes no less.
const BUFFER: usize = 8192;
