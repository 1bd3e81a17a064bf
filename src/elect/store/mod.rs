//! Where the record is kept. All that the lock asks of a store is one cell with a compare and swap that loses nothing it
//! has acknowledged.
//!
//! *Pure*: [`lease`] and [`gateway`], what is written to a store and read of its answers.

#[cfg(feature = "elect")]
pub mod etcd;
pub mod gateway;
#[cfg(feature = "elect")]
pub mod http;
#[cfg(feature = "elect")]
pub mod kubernetes;
pub mod lease;
pub mod register;
#[cfg(feature = "elect")]
pub mod tls;

pub use self::register::{Failed, Register};
#[cfg(feature = "elect")]
use super::lock::{Lock, Place};
#[cfg(feature = "elect")]
use super::record::{Cell, Record, Revision};

/// The store of a lock.
#[cfg(feature = "elect")]
#[derive(Debug)]
pub enum Store {
    /// Of Kubernetes.
    Kubernetes(kubernetes::Kubernetes),
    /// Of etcd.
    Etcd(etcd::Etcd),
}

#[cfg(feature = "elect")]
impl Store {
    /// That this lock names. Nothing is asked yet.
    pub fn open(lock: &Lock) -> Result<Self, Failed> {
        match lock.place.clone() {
            Place::Lease { namespace, name } => {
                kubernetes::Kubernetes::new(namespace, name, &lock.access).map(Self::Kubernetes)
            }
            Place::Etcd { members, key } => etcd::Etcd::new(members, key, &lock.access).map(Self::Etcd),
        }
    }
}

#[cfg(feature = "elect")]
impl Register for Store {
    async fn read(&self) -> Result<Cell, Failed> {
        match self {
            Self::Kubernetes(lease) => lease.read().await,
            Self::Etcd(key) => key.read().await,
        }
    }

    async fn swap(&self, from: Option<Revision>, next: &Record) -> Result<Option<Revision>, Failed> {
        match self {
            Self::Kubernetes(lease) => lease.swap(from, next).await,
            Self::Etcd(key) => key.swap(from, next).await,
        }
    }
}
