//! What the companions' controller does in a cluster.

mod blocking;
mod deputy;
mod dns;
mod drain;
mod former;
mod made;
mod selectors;
mod strangers;
mod takeover;
mod theirs;

use crate::harness::Story;

pub fn stories() -> Vec<Story> {
    let rooms = [
        made::STORIES,
        drain::STORIES,
        former::STORIES,
        deputy::STORIES,
        theirs::STORIES,
        strangers::STORIES,
        takeover::STORIES,
        blocking::STORIES,
        selectors::STORIES,
        dns::STORIES,
    ];
    rooms.concat()
}
