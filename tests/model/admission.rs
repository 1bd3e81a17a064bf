//! What the API server asks before it writes: the functions of the rules themselves, nothing like them.

use std::time::{Duration, SystemTime};

use singleton_guard::policy::holder::{Asked, Holder, State, is_terminal};
use singleton_guard::policy::rules::{sg010_taken, sg011_ending, sg012_name};
use singleton_guard::settings::node_users::NodeUsers;
use singleton_guard::strict::liveness;
use singleton_guard::strict::liveness::Step;

use crate::pod::{KEY, Name, Pod, Uid};

/// The name under which a new Pod is admitted, if it is. `is_completed` is whether the mutating side was there.
pub fn admits(key: Option<&'static str>, name: Option<Name>, is_completed: bool) -> Option<Name> {
    let given = sg012_name::given(key, name.map_or("", Name::text)).filter(|_| is_completed);
    let name = given.map(|given| if given == KEY { Name::Key } else { Name::Other }).or(name);
    let name = name.unwrap_or(Name::Generated);
    sg012_name::judge(None, key, name.text()).is_none().then_some(name)
}

/// Whether a label of a Pod may be changed so.
pub fn admits_change(pod: &Pod, key: Option<&'static str>) -> bool {
    sg012_name::judge(Some(pod.key()), key, pod.name.text()).is_none()
}

/// Whether the webhook lets a Pod through that finds this one under its name.
pub fn lets_through(holder: Option<(Uid, &Pod)>) -> bool {
    sg010_taken::judge(holder.map(|(uid, pod)| as_holder(uid, pod)), "").is_none()
}

/// How a Pod is deleted or evicted.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// The grace that is told.
    pub grace: Option<i64>,
    /// The grace that it has been given already.
    pub written: Option<i64>,
    /// Who asks.
    pub user: &'a str,
    /// Whether one request deletes many.
    pub is_of_many: bool,
}

/// Whether a Pod may be deleted or evicted so.
pub fn admits_end(uid: Uid, pod: &Pod, way: Way<'_>) -> bool {
    let Way { grace, written, user, is_of_many } = way;
    let (node, phase) = (pod.node(uid), pod.phase());
    let ending = sg011_ending::Ending {
        grace,
        written,
        node: &node,
        phase,
        user,
        groups: &[],
        is_of_many,
        namespace_ends: false,
    };
    // The policies look at Pods with the key only.
    !pod.has_key || sg011_ending::judge(&ending, &NodeUsers::default()).is_none()
}

/// Whether our controller deletes this Pod, however long its workload has waited.
pub fn is_cleaned(uid: Uid, pod: &Pod) -> bool {
    let holder = as_holder(uid, pod);
    [Duration::ZERO, Duration::MAX].iter().any(|waited| liveness::step(Some(&holder), *waited) == Step::Delete)
}

fn as_holder(uid: Uid, pod: &Pod) -> Holder {
    let grace = if pod.has_no_grace { 0 } else { 30 };
    let asked = pod.is_deleting.then(|| Asked::read(SystemTime::UNIX_EPOCH, Some(grace), false));
    let node = pod.node(uid);
    let state = State::of(asked, &node, is_terminal(pod.phase()), SystemTime::UNIX_EPOCH);
    Holder { node, is_strict: pod.has_key, state, controller: String::new() }
}
