//! One question to a name server: the IPv4 addresses of a name, over UDP, as RFC 1035 has it.
//!
//! No search list, no recursion, no cache, no TCP: it asks for exactly the name it is given, and what it cannot read it
//! reports. It waits a bounded time, and believes only an answer to its own question.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// The A records of `name`, sorted. Empty if the name does not exist (NXDOMAIN) or has none.
///
/// # Errors
/// If the name is not one, if nobody answers within six seconds, and for every other answer: with its code.
pub(super) async fn addresses(server: SocketAddr, name: &str) -> Result<Vec<IpAddr>> {
    let question = question(name)?;
    for _ in 0..TRIES {
        if let Ok(answer) = timeout(PATIENCE, ask(server, &question)).await {
            let answer = answer.with_context(|| format!("asking {server} for {name}"))?;
            return read(&answer).with_context(|| format!("the answer of {server} about {name}"));
        }
    }
    bail!("asking {server} for {name}: no answer after {TRIES} times {} s", PATIENCE.as_secs())
}

/// Sends the question from a port of its own and waits for the message that answers it.
async fn ask(server: SocketAddr, question: &[u8]) -> Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(server).await?;
    // Two questions at one time never have the same port, so it serves as the identifier as well.
    let id = socket.local_addr()?.port().to_be_bytes();
    socket.send(&[&id, HEADER_AFTER_ID.as_slice(), question].concat()).await?;
    let mut buffer = [0; LONGEST_MESSAGE];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let message = buffer.get(..length).unwrap_or_default();
        if message.starts_with(&id) && message.get(HEADER..).is_some_and(|rest| rest.starts_with(question)) {
            return Ok(message.to_vec());
        }
    }
}

/// The question section: the labels of the name, each after its length; then the type and the class.
fn question(name: &str) -> Result<Vec<u8>> {
    let mut question = Vec::with_capacity(name.len() + 6);
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=LONGEST_LABEL).contains(length));
        question.push(length.with_context(|| format!("{name:?} is no name: a part must have 1 to 63 bytes"))?);
        question.extend_from_slice(label.as_bytes());
    }
    question.push(0);
    ensure!(question.len() <= LONGEST_NAME, "{name:?} is no name: it has more than 253 bytes");
    question.extend([TYPE_A, CLASS_IN].concat());
    Ok(question)
}

/// The addresses in an answer with one question.
fn read(message: &[u8]) -> Result<Vec<IpAddr>> {
    let mut reader = Reader { rest: message };
    let header = reader.header().context("it is cut off in its header")?;
    ensure!(header.flags & IS_ANSWER != 0, "it is a question");
    ensure!(header.flags & IS_TRUNCATED == 0, "it has more addresses than fit into {LONGEST_MESSAGE} bytes");
    match header.flags & CODE {
        NO_ERROR => {}
        NO_SUCH_NAME => return Ok(Vec::new()),
        code => bail!("code {code} (RFC 1035, 4.1.1: 1 format error, 2 server failure, 4 not implemented, 5 refused)"),
    }
    let mut addresses = reader.addresses(header.answers).context("it is malformed or cut off")?;
    addresses.sort_unstable();
    Ok(addresses)
}

/// What is left to read of a message. Every method is `None` where the message ends too early.
struct Reader<'a> {
    rest: &'a [u8],
}

struct Header {
    flags: u16,
    /// The number of records in the answer section.
    answers: u16,
}

impl<'a> Reader<'a> {
    fn header(&mut self) -> Option<Header> {
        let [_id, flags, _questions, answers, _authorities, _additional] =
            [self.number()?, self.number()?, self.number()?, self.number()?, self.number()?, self.number()?];
        Some(Header { flags, answers })
    }

    /// The A records of the answer section. Others, such as a CNAME on the way to them, are passed over.
    fn addresses(&mut self, answers: u16) -> Option<Vec<IpAddr>> {
        self.name()?;
        self.take(TYPE_A.len() + CLASS_IN.len())?;
        let mut addresses = Vec::new();
        for _ in 0..answers {
            self.name()?;
            let (type_, class) = (self.take(2)?, self.take(2)?);
            let _time_to_live = self.take(4)?;
            let length = self.number()?;
            let data = self.take(usize::from(length))?;
            if type_ == TYPE_A && class == CLASS_IN {
                addresses.push(<[u8; 4]>::try_from(data).ok()?.into());
            }
        }
        Some(addresses)
    }

    /// Passes over a name: labels up to an empty one, or up to a pointer to where it goes on (RFC 1035, 4.1.4).
    fn name(&mut self) -> Option<()> {
        loop {
            match *self.take(1)?.first()? {
                0 => return Some(()),
                length @ 1..=LONGEST_LABEL => drop(self.take(usize::from(length))?),
                POINTER.. => return self.take(1).map(|_| ()),
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

const TRIES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(2);

// All of RFC 1035.
/// The length of a message's header (4.1.1).
const HEADER: usize = 12;
/// What follows the identifier: an ordinary question without flags, one in number, and no records.
const HEADER_AFTER_ID: [u8; 10] = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const IS_ANSWER: u16 = 0x8000;
const IS_TRUNCATED: u16 = 0x0200;
const CODE: u16 = 0x000f;
const NO_ERROR: u16 = 0;
const NO_SUCH_NAME: u16 = 3;
/// An IPv4 address (3.2.2).
const TYPE_A: [u8; 2] = [0, 1];
/// The Internet (3.2.4).
const CLASS_IN: [u8; 2] = [0, 1];
/// 2.3.4; a name's limit counts the length bytes and the empty label at the end.
const LONGEST_LABEL: u8 = 63;
const LONGEST_NAME: usize = 255;
/// Without extensions (4.2.1).
const LONGEST_MESSAGE: usize = 512;
/// A length byte with both upper bits set begins a pointer (4.1.4).
const POINTER: u8 = 0xc0;
