//! The stories of the companions, by what they show.

use super::{companions_dns, companions_drain, companions_live, companions_selectors};
use crate::LiveTest;

mod blocking;
mod deputy;
mod former;
mod strangers;
mod takeover;
mod theirs;

/// What the companions' controller does in a cluster.
pub const COMPANIONS: [(&str, LiveTest); 30] = [
    ("they are made for every kind with one write each", |lab| Box::pin(companions_live::made_for_every_kind(lab))),
    ("they follow the annotations and come back by themselves", |lab| {
        Box::pin(companions_live::follows_the_annotations(lab))
    }),
    ("a budget of a user makes ours step aside", |lab| Box::pin(companions_live::steps_aside_for_a_budget(lab))),
    ("a Service of a user is left alone", |lab| Box::pin(companions_live::leaves_services_alone(lab))),
    ("what is made never falls on what is there", |lab| Box::pin(companions_live::creates_or_nothing(lab))),
    ("the rest of a manifest comes first", |lab| Box::pin(companions_live::waits_for_the_rest_of_a_manifest(lab))),
    ("a release takes the budget and leaves the Service", |lab| Box::pin(companions_live::release(lab))),
    ("deletion takes or leaves them as asked", |lab| Box::pin(companions_live::deletion(lab))),
    ("an orphaned ReplicaSet stays guarded", |lab| {
        Box::pin(companions_live::an_orphaned_replica_set_stays_guarded(lab))
    }),
    ("a drain passes, waits, and passes with consent", |lab| Box::pin(companions_drain::drain(lab))),
    ("a Pod that is not ready can be evicted in every mode", |lab| Box::pin(companions_drain::crash_looping(lab))),
    ("others: what a version of before has made is changed once", |lab| Box::pin(former::are_changed_once(lab))),
    ("others: a name that somebody has freed is left free", |lab| Box::pin(deputy::a_freed_name_is_left_free(lab))),
    ("former: Services keep the workload's own name", |lab| Box::pin(former::keep_their_name(lab))),
    ("former: Services stay while a Pod bears their name", |lab| {
        Box::pin(former::stay_while_a_pod_bears_their_name(lab))
    }),
    ("theirs: a Service of the workload's name is never ours", |lab| Box::pin(theirs::made_after_ours(lab))),
    ("theirs: a Service can be replaced by force", |lab| Box::pin(theirs::replaced_by_force(lab))),
    ("others: nobody gets a Service under their name", |lab| Box::pin(deputy::nobody_gets_what_is_anothers(lab))),
    ("others: who may make no Service gets none, where that is asked for", |lab| {
        Box::pin(deputy::who_may_make_none_gets_none(lab))
    }),
    ("others: Pods that only share the labels block no eviction", |lab| Box::pin(strangers::they_block_nothing(lab))),
    ("others: Pods that only share the labels let no singleton go", |lab| {
        Box::pin(strangers::they_let_nothing_go(lab))
    }),
    ("theirs: what somebody writes to is his", |lab| Box::pin(takeover::what_somebody_writes_to_is_his(lab))),
    ("theirs: what others touch stays ours", |lab| Box::pin(takeover::what_others_touch_stays_ours(lab))),
    ("theirs: a released one lets go too", |lab| Box::pin(takeover::a_released_one_lets_go_too(lab))),
    ("theirs: a chart brings its Service", |lab| Box::pin(takeover::a_chart_brings_its_service(lab))),
    ("theirs: one with an address replaces ours", |lab| Box::pin(takeover::one_with_an_address_replaces_ours(lab))),
    ("theirs: a budget that blocks is a warning", |lab| Box::pin(blocking::a_budget_that_blocks_is_a_warning(lab))),
    ("a second apply, a diff and an upgrade move nothing", |lab| Box::pin(companions_drain::second_apply(lab))),
    ("selectors mean what the API server says", |lab| Box::pin(companions_selectors::compare(lab))),
    ("the name is the Pod, and nobody while it ends", |lab| Box::pin(companions_dns::the_name_is_the_pod(lab))),
];
