//! What a user asks for, and the durations that follow.

use std::time::Duration;

use singleton_guard::elect::timing::{LEASE_MAX, Timing, Unsafe, Wanted};

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let timing = Timing::of(&Wanted::default()).expect("safe");
    assert_eq!(timing.stop_after, seconds(9));
    assert_eq!(timing.lease, seconds(15));
    assert_eq!(timing.to_string(), "takes over 15s after a crash, stops after 9s without the store");
}

#[test]
fn whatever_is_accepted_is_dead_before_it_is_taken_over_on_clocks_that_differ_by_a_tenth() {
    for outage in [200, 1_000, 5_000, 60_000, 600_000] {
        for grace in [0, 3_000, 60_000] {
            for renew in [200, 1_000, 2_000, 10_000] {
                let wanted = Wanted {
                    tolerate_outage: Duration::from_millis(outage),
                    lost_grace: Duration::from_millis(grace),
                    renew: Duration::from_millis(renew),
                    ..Wanted::default()
                };
                match Timing::of(&wanted) {
                    Ok(timing) => {
                        let fastest = timing.lease * 9 / 10;
                        let dead = timing.stop_after + timing.lost_grace + timing.margin;
                        assert!(dead <= fastest, "{wanted:?} gives {timing:?}");
                        // And no longer than it has to be: a Lease has whole seconds.
                        assert!(dead + seconds(1) > fastest, "{wanted:?} gives {timing:?}");
                        assert!(timing.stop_after >= 2 * timing.renew + timing.call, "{wanted:?} gives {timing:?}");
                    }
                    Err(unsafe_) => assert_eq!(unsafe_, Unsafe::Outage(wanted.tolerate_outage, wanted.renew)),
                }
            }
        }
    }
}

#[test]
fn what_is_refused_says_what_would_be_right() {
    let of = |wanted| Timing::of(&wanted).expect_err("unsafe").to_string();
    let renew = of(Wanted { renew: Duration::from_millis(50), ..Wanted::default() });
    assert!(renew.contains("at least 200ms"), "{renew}");
    let outage = of(Wanted { tolerate_outage: seconds(1), ..Wanted::default() });
    assert!(outage.contains("--tolerate-outage 2s or more"), "{outage}");
    let lease = of(Wanted { tolerate_outage: LEASE_MAX, ..Wanted::default() });
    assert!(lease.contains("more than 3600s"), "{lease}");
    // No sum of what a user may write is a panic.
    let all = Wanted {
        tolerate_outage: Duration::MAX,
        lost_grace: Duration::MAX,
        renew: Duration::MAX,
        stop_grace: Duration::MAX,
    };
    assert!(matches!(Timing::of(&all), Err(Unsafe::Lease(_))));
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
