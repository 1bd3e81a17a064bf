//! Which lock, and where its record is kept: the value of `--lock`. Pure.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// What keeps its record.
    pub place: Place,
    /// How the store is talked to.
    pub access: Access,
}

/// What keeps the record of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `lease://NAMESPACE/NAME`: a Lease of `coordination.k8s.io`.
    Lease {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// `etcd://HOST:PORT,HOST:PORT/KEY`: a key of etcd.
    Etcd {
        /// The members, each with its port.
        members: Vec<String>,
        /// The key, without the slash before it.
        key: String,
    },
}

/// How a store is talked to. What is not given is as the store's users have it in a Pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// `?server=`: the API server, for a Lease outside a Pod.
    pub server: Option<String>,
    /// `?ca=`: the file with the authorities of the store. For etcd, TLS is spoken if this or `cert` is given.
    pub ca: Option<PathBuf>,
    /// `?cert=`: the file with the client's certificate.
    pub cert: Option<PathBuf>,
    /// `?key=`: the file with its key.
    pub key: Option<PathBuf>,
    /// `?token-file=`: the file with a bearer token, for a Lease.
    pub token_file: Option<PathBuf>,
    /// `?user=`: the user, for etcd.
    pub user: Option<String>,
    /// `?password-file=`: the file with the password.
    pub password_file: Option<PathBuf>,
}

/// Why a text names no lock.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotALock {
    /// The part before `://`.
    #[error("--lock has to begin with lease:// or etcd://")]
    Scheme,
    /// Namespace and name.
    #[error("a Lease is named as lease://NAMESPACE/NAME, both as Kubernetes names: lower case letters, digits and -")]
    Lease,
    /// Members and key.
    #[error("a key of etcd is named as etcd://HOST:PORT,HOST:PORT/KEY")]
    Etcd,
    /// After the question mark.
    #[error("--lock knows no ?{0}= for this store; it knows {1}")]
    Parameter(String, &'static str),
    /// A certificate without its key, or the other way round.
    #[error("--lock needs {0}= together with {1}=")]
    Pair(&'static str, &'static str),
}

impl FromStr for Lock {
    type Err = NotALock;

    fn from_str(text: &str) -> Result<Self, NotALock> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (scheme, rest) = address.split_once("://").ok_or(NotALock::Scheme)?;
        let place = match scheme {
            "lease" => lease(rest).ok_or(NotALock::Lease)?,
            "etcd" => etcd(rest).ok_or(NotALock::Etcd)?,
            _ => return Err(NotALock::Scheme),
        };
        Ok(Self { access: access(query, &place)?, place })
    }
}

/// Its name for people and for the command: what has to do with access is left out.
impl fmt::Display for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Lease { namespace, name } => write!(formatter, "lease://{namespace}/{name}"),
            Place::Etcd { members, key } => write!(formatter, "etcd://{}/{key}", members.join(",")),
        }
    }
}

fn lease(rest: &str) -> Option<Place> {
    let (namespace, name) = rest.split_once('/')?;
    let is_label = |text: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !text.is_empty()
            && text.len() <= LABEL
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    // A name may be several labels, a namespace is one.
    let is_name = name.len() <= NAME && name.split('.').all(is_label);
    (is_label(namespace) && is_name).then(|| Place::Lease { namespace: namespace.to_owned(), name: name.to_owned() })
}

fn etcd(rest: &str) -> Option<Place> {
    let (members, key) = rest.split_once('/')?;
    let member = |text: &str| {
        // An address of version 6 has colons of its own, and stands in brackets.
        let is_host = |host: &str| {
            let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            !host.is_empty() && (inner.is_some() || !host.contains(':'))
        };
        match text.rsplit_once(':') {
            Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok() => Some(text.to_owned()),
            _ => is_host(text).then(|| format!("{text}:{ETCD_PORT}")),
        }
    };
    let members = members.split(',').map(member).collect::<Option<Vec<_>>>()?;
    (!key.is_empty()).then(|| Place::Etcd { members, key: key.to_owned() })
}

fn access(query: &str, place: &Place) -> Result<Access, NotALock> {
    let mut access = Access::default();
    let known = match place {
        Place::Lease { .. } => "server, ca, cert, key and token-file",
        Place::Etcd { .. } => "ca, cert, key, user and password-file",
    };
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let file = || Some(PathBuf::from(value));
        match (name, place) {
            _ if value.is_empty() => return Err(NotALock::Parameter(name.to_owned(), known)),
            ("ca", _) => access.ca = file(),
            ("cert", _) => access.cert = file(),
            ("key", _) => access.key = file(),
            ("server", Place::Lease { .. }) => access.server = Some(value.to_owned()),
            ("token-file", Place::Lease { .. }) => access.token_file = file(),
            ("user", Place::Etcd { .. }) => access.user = Some(value.to_owned()),
            ("password-file", Place::Etcd { .. }) => access.password_file = file(),
            _ => return Err(NotALock::Parameter(name.to_owned(), known)),
        }
    }
    if access.cert.is_some() != access.key.is_some() {
        return Err(NotALock::Pair("cert", "key"));
    }
    if access.user.is_some() != access.password_file.is_some() {
        return Err(NotALock::Pair("user", "password-file"));
    }
    Ok(access)
}

/// A DNS label (RFC 1123).
const LABEL: usize = 63;
/// A DNS subdomain, as Kubernetes has it.
const NAME: usize = 253;
/// The port on which etcd serves clients.
const ETCD_PORT: u16 = 2379;
