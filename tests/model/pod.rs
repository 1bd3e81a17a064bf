//! One Pod from the moment it is asked for until its process has ended. What does not matter any more is reset, so that
//! worlds with the same future are one.

/// Which Pod: they are counted as they are created. So is its node.
pub type Uid = usize;

/// A Pod that was asked for and admitted, and is not in the store yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Write {
    /// `metadata.name`.
    pub name: Name,
    /// Whether it has the label with the key.
    pub has_key: bool,
    /// Its claim on the Lease, in the variant with one.
    pub claim: Option<Claim>,
}

/// How a Pod claims the Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// The Lease was read: nobody had it, or its holder was not in the store.
    Free { holder: Option<Ticket> },
    /// It was written.
    Holds(Ticket),
}

/// What a Lease says about its holder, and no other one ever.
pub type Ticket = u8;

/// A Pod that is in the store, or was.
#[expect(clippy::struct_excessive_bools, reason = "they come and go one by one")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Pod {
    /// Whether it is. A uid never comes back.
    pub is_stored: bool,
    /// `metadata.name`.
    pub name: Name,
    /// Whether it has the label with the key.
    pub has_key: bool,
    /// Whether it was created with it: what its process belongs to.
    pub is_strict: bool,
    /// Its claim on the Lease.
    pub claim: Option<Claim>,
    /// Whether a node was chosen; each Pod has a node of its own.
    pub is_bound: bool,
    /// Whether `status.phase` says that it has ended.
    pub has_failed: bool,
    /// Whether it has a deletionTimestamp.
    pub is_deleting: bool,
    /// Whether a grace of 0 was written into it.
    pub has_no_grace: bool,
    /// What its kubelet does.
    pub process: Process,
    /// Whether somebody declared its node dead.
    pub node_is_dead: bool,
    /// Whether it was the cleaner that deleted it.
    pub was_cleaned: bool,
}

/// The name of a Pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// The key itself.
    #[default]
    Key,
    /// Another one.
    Other,
    /// What the API server makes of `generateName`: no two Pods have the same.
    Generated,
}

/// What a kubelet makes of a Pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Process {
    /// It has not begun.
    #[default]
    Awaited,
    /// It runs.
    Runs,
    /// It ran, and has ended for good.
    Ended,
    /// It never ran and never will.
    Refused,
}

impl Pod {
    /// As it is created.
    pub fn new(write: Write) -> Self {
        let Write { name, has_key, claim } = write;
        Self { is_stored: true, name, has_key, is_strict: has_key, claim, ..Self::default() }
    }

    /// Whether it is a process of the singleton that runs.
    pub fn runs(&self) -> bool {
        self.is_strict && self.process == Process::Runs
    }

    /// Whether no process of it runs, and none will be started by its kubelet.
    pub fn is_over(&self) -> bool {
        matches!(self.process, Process::Ended | Process::Refused)
    }

    /// `status.phase`.
    pub fn phase(&self) -> &'static str {
        match self.process {
            _ if self.has_failed => "Failed",
            Process::Awaited | Process::Refused => "Pending",
            Process::Runs | Process::Ended => "Running",
        }
    }

    /// `spec.nodeName`.
    pub fn node(&self, uid: Uid) -> String {
        if self.is_bound { format!("worker-{uid}") } else { String::new() }
    }

    /// The label with the key.
    pub fn key(&self) -> Option<&'static str> {
        self.has_key.then_some(KEY)
    }

    /// Takes it out of the store. Its kubelet may not know yet, and starts it if it was bound.
    pub fn is_taken_out(&mut self) {
        let process = if self.is_bound { self.process } else { Process::Refused };
        let over = matches!(process, Process::Ended | Process::Refused);
        *self = Self {
            is_strict: self.is_strict,
            is_bound: self.is_bound && !over,
            process,
            node_is_dead: self.node_is_dead && !over,
            was_cleaned: self.was_cleaned,
            ..Self::default()
        };
    }
}

impl Name {
    /// As a text.
    pub fn text(self) -> &'static str {
        match self {
            Self::Key => KEY,
            Self::Other => "other",
            Self::Generated => "cron-x7k2p",
        }
    }
}

/// The one key of this model.
pub const KEY: &str = "cron";
