//! The socket between the keeper and the elector. It is closed when either of the two ends, and it never blocks: a peer
//! that does not read must not hold up the one that has a deadline.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use super::wire::{LENGTH, Message};

/// One end.
#[derive(Debug)]
pub struct Link(OwnedFd);

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came<M> {
    /// A message.
    Message(M),
    /// Nothing yet.
    Nothing,
    /// The peer has ended, or is not one of ours.
    Ended,
}

impl Link {
    /// Both ends. Neither is inherited by a command.
    pub fn pair() -> io::Result<(Self, Self)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self(one), Self(other)))
    }

    /// The end that is the standard input of this process: so the keeper hands it over.
    pub fn inherited() -> io::Result<Self> {
        Ok(Self(io::stdin().as_fd().try_clone_to_owned()?))
    }

    /// Sends if the peer reads. A message that finds the socket full is lost, and that is said.
    pub fn send(&self, message: impl Message) -> io::Result<()> {
        send(&self.0, &message.write(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
        Ok(())
    }

    /// What has come, without waiting.
    pub fn receive<M: Message>(&self) -> Came<M> {
        let mut bytes = [0; LENGTH + 1];
        loop {
            return match recv(&self.0, &mut bytes[..], RecvFlags::DONTWAIT) {
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Came::Nothing,
                Ok((length, _)) => match bytes.get(..length).and_then(M::read) {
                    Some(message) => Came::Message(message),
                    None => Came::Ended,
                },
                Err(_) => Came::Ended,
            };
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// As the standard input of the elector.
impl From<Link> for OwnedFd {
    fn from(link: Link) -> Self {
        link.0
    }
}
