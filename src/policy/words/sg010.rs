//! What a person reads of SG010: another Pod holds the name of the one that is asked for.

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::on_node;
use crate::api::key::KEY;
use crate::api::mark::MarkKey;
use crate::policy::holder::{Holder, State};
use crate::policy::violation::{Sg010, Words};

impl Words for Sg010 {
    fn field(&self, _: &MarkKey) -> String {
        "metadata.name".to_owned()
    }

    fn sentence(&self, _: &MarkKey) -> String {
        match self {
            Self::NameTaken(holder) => holder.sentence(),
            Self::WantsTwo { node } => format!(
                "exists already {}, and its workload wants a second: label {KEY} of its Pod template allows one",
                on_node(node)
            ),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::NameTaken(holder) => holder.remedy(),
            Self::WantsTwo { .. } => {
                "to run more than one copy take the mark off, and that label off the Pod template (a rollout)"
            }
        }
    }
}

impl Holder {
    /// What an Event says about a workload that waits for the Pod of this name. The same from every replica: no time in it
    /// but the one at which the Pod was asked to end.
    #[must_use]
    pub fn blocks(&self, name: &str, now: SystemTime) -> String {
        let time = |ago| {
            now.checked_sub(ago).and_then(|at| OffsetDateTime::from(at).format(&Rfc3339).ok()).unwrap_or_default()
        };
        let node = if self.node.is_empty() { "without a node".to_owned() } else { format!("on node {}", self.node) };
        let does = match self.state {
            _ if !self.is_strict => "is none of a strict singleton".to_owned(),
            State::Stays => "is there".to_owned(),
            State::Ended => "has ended".to_owned(),
            State::Ends(asked) => format!("terminates since {}", time(asked)),
            State::Lingers(asked) => format!("has ended and terminates since {}", time(asked)),
            State::Finalizes(asked) => format!("terminates since {} and is kept by its finalizers", time(asked)),
        };
        format!("waits for the name of Pod {name} {node}, which {does}: {}", self.remedy())
    }

    fn sentence(&self) -> String {
        let node = on_node(&self.node);
        if !self.is_strict {
            return format!("exists already {node}, and is none of a strict singleton: it lacks label {KEY}");
        }
        let does = match self.state {
            State::Stays => String::new(),
            State::Ends(since) => format!(", terminating for {} s", since.as_secs()),
            State::Ended => " and has ended".to_owned(),
            State::Lingers(since) => format!(" and has ended, terminating for {} s", since.as_secs()),
            State::Finalizes(since) => format!(", terminating for {} s and kept by its finalizers", since.as_secs()),
        };
        format!("exists already {node}{does}; the next one starts when it is gone")
    }

    const fn remedy(&self) -> &'static str {
        match self.state {
            _ if !self.is_strict => {
                "delete that Pod, and make it anew under another name if you need it: nothing deletes it for you"
            }
            State::Stays => {
                "nothing is to be done if that Pod is the singleton; two workloads with one key share one Pod"
            }
            State::Ends(_) => {
                "wait until its kubelet (or one of strict.nodeUsers) says that it has ended; a forced deletion would let two run"
            }
            State::Ended => "it is deleted in a moment; if it stays, delete it",
            State::Lingers(_) => "its kubelet takes it away, or it is deleted after a minute; if it stays, delete it",
            State::Finalizes(_) => "whoever put metadata.finalizers on it has to take them off; nothing else keeps it",
        }
    }
}
