//! The bounds of the server, in one place, as values: a test runs with shorter ones.

use std::time::Duration;

/// How long, how large and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the accepted connection to the end of its TLS handshake.
    pub handshake: Duration,
    /// From the accepted connection to the end of its first request's headers.
    pub first_request: Duration,
    /// How long a connection may be idle between two requests, headers of the next one included. hyper has one
    /// timer for both (`header_read_timeout`), so this must be longer than the API server keeps idle connections.
    pub idle: Duration,
    /// From the end of the headers to the end of the body.
    pub body: Duration,
    /// Size of the request line and the headers in bytes.
    pub header_bytes: usize,
    /// Size of a body in bytes.
    pub body_bytes: usize,
    /// Size of all bodies above 16 KiB that are held at once, in bytes.
    pub bodies_bytes: usize,
    /// Open connections.
    pub connections: usize,
    /// From the end of the drain to the end of the last request.
    pub finish: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            first_request: Duration::from_secs(10),
            // The API server keeps idle connections for 90 s (`http.Transport.IdleConnTimeout` in client-go). Whoever
            // closes first must be the client: it does not repeat a POST that met a closing connection.
            idle: Duration::from_secs(150),
            body: Duration::from_secs(5),
            // The API server's are about 500 bytes; hyper would keep 400 KiB for each connection.
            header_bytes: 16 << 10,
            // An update carries the object twice, and the API server accepts objects of up to 3 MiB
            // (`MaxRequestBodyBytes`). controller-runtime takes 7 MiB.
            body_bytes: 8 << 20,
            // Four of the largest. Read into values, the worst body takes several times its size; the chart's limit
            // of memory is 256 MiB.
            bodies_bytes: 32 << 20,
            // An API server has at most 600 requests in flight by default; each keeps one connection.
            connections: 4096,
            finish: Duration::from_secs(5),
        }
    }
}
