//! What the keeper and the elector say to each other: pure. They are two processes of one program, on the two ends of a
//! socket that keeps messages apart (`SOCK_SEQPACKET`), so a message has one fixed size and no version.
//!
//! Every time is absolute, in nanoseconds of `CLOCK_BOOTTIME`: a message that comes late does not give more time.

/// From the elector, which knows the store, to the keeper, which knows the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToKeeper {
    /// Start the command. It is stopped at `until`, unless [`ToKeeper::Until`] comes before.
    Run {
        /// When the lock is lost if nothing more is heard: the sending of the acquiring write + `stop_after`.
        until: u64,
        /// The fencing token, which the command is given.
        token: u64,
        /// Which acquisition it is.
        term: u128,
    },
    /// The lock was renewed. A time before the one that the keeper has already changes nothing.
    Until {
        /// As in [`ToKeeper::Run`].
        at: u64,
    },
    /// End the command: the signal to stop now, and after `grace` nanoseconds SIGKILL.
    Stop {
        /// 0: at once.
        grace: u64,
    },
    /// The lock is lost, so end the command as when its time is over.
    Lost,
}

/// From the keeper to the elector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToElector {
    /// The command was started.
    Started {
        /// Its process.
        pid: u32,
    },
    /// The answer to each [`ToKeeper::Until`]: the keeper is not stuck.
    Alive,
    /// Nothing of the command is alive any more. It is the only leave to release the lock.
    Gone {
        /// As a shell has it: the command's exit status, or 128 and the signal's number.
        status: u8,
    },
    /// Somebody asked this replica to end. The command, if there is one, was already told, and the lock is to be renewed
    /// until it is gone.
    StopAsked,
}

/// The size of every message.
pub const LENGTH: usize = 40;

/// What can be sent, and read again.
pub trait Message: Copy {
    /// As bytes.
    fn write(self) -> [u8; LENGTH];
    /// `None` for anything that [`Message::write`] does not make.
    fn read(bytes: &[u8]) -> Option<Self>;
}

impl Message for ToKeeper {
    fn write(self) -> [u8; LENGTH] {
        match self {
            Self::Run { until, token, term } => message(1, until, token, term),
            Self::Until { at } => message(2, at, 0, 0),
            Self::Stop { grace } => message(3, grace, 0, 0),
            Self::Lost => message(4, 0, 0, 0),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(match fields(bytes)? {
            (1, until, token, term) => Self::Run { until, token, term },
            (2, at, 0, 0) => Self::Until { at },
            (3, grace, 0, 0) => Self::Stop { grace },
            (4, 0, 0, 0) => Self::Lost,
            _ => return None,
        })
    }
}

impl Message for ToElector {
    fn write(self) -> [u8; LENGTH] {
        match self {
            Self::Started { pid } => message(1, u64::from(pid), 0, 0),
            Self::Alive => message(2, 0, 0, 0),
            Self::Gone { status } => message(3, u64::from(status), 0, 0),
            Self::StopAsked => message(4, 0, 0, 0),
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(match fields(bytes)? {
            (1, pid, 0, 0) => Self::Started { pid: u32::try_from(pid).ok()? },
            (2, 0, 0, 0) => Self::Alive,
            (3, status, 0, 0) => Self::Gone { status: u8::try_from(status).ok()? },
            (4, 0, 0, 0) => Self::StopAsked,
            _ => return None,
        })
    }
}

fn message(kind: u64, first: u64, second: u64, third: u128) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let parts = kind.to_le_bytes().into_iter().chain(first.to_le_bytes()).chain(second.to_le_bytes());
    for (byte, part) in bytes.iter_mut().zip(parts.chain(third.to_le_bytes())) {
        *byte = part;
    }
    bytes
}

fn fields(bytes: &[u8]) -> Option<(u64, u64, u64, u128)> {
    let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
    let (kind, rest) = bytes.split_first_chunk::<8>()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (second, third) = rest.split_first_chunk::<8>()?;
    let third: &[u8; 16] = third.try_into().ok()?;
    Some((
        u64::from_le_bytes(*kind),
        u64::from_le_bytes(*first),
        u64::from_le_bytes(*second),
        u128::from_le_bytes(*third),
    ))
}
