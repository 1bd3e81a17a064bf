//! Which step follows, as a table.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use singleton_guard::certs::lifetimes::{Lifetimes, LifetimesError, read};
use singleton_guard::certs::plan::{BACKDATED, Facts, Plan, Reason, Stored, Validity, plan};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_right_is_kept_and_every_step_has_its_reason() {
    let now = SystemTime::now();
    let made = |age: Duration, life: Duration| Validity { from: now - age - BACKDATED, until: now - age + life };
    let right = Facts {
        authority: made(100 * DAY, 10 * YEAR),
        signs: true,
        leaf: made(10 * DAY, YEAR),
        names: BTreeSet::from(["guard.test.svc".to_owned(), "guard".to_owned()]),
        key_matches: true,
        signed: true,
        next: None,
        previous: None,
    };
    let not_yet = Validity { from: now + DAY, until: now + 10 * YEAR };
    let ended = made(11 * YEAR, 10 * YEAR);
    let old = Facts { authority: made(7 * YEAR, 10 * YEAR), ..right.clone() };
    let announced = Facts { next: Some(made(DAY, 10 * YEAR)), ..old.clone() };
    let switched = Facts { previous: Some(now + DAY), ..right.clone() };
    let (long, short) = (Some(10 * 60), Some(5));
    let of = |facts: &Facts| Stored::Material(facts.clone());
    let cases = [
        ("right", of(&right), long, Plan::Keep),
        ("right, but not published", of(&right), None, Plan::Keep),
        ("nothing", Stored::Nothing, None, Plan::Start(Reason::Nothing)),
        ("garbage", Stored::Garbage { cause: "x".to_owned() }, None, Plan::Start(Reason::Garbage("x".to_owned()))),
        ("key", of(&Facts { key_matches: false, ..right.clone() }), long, Plan::Renew(Reason::KeyMismatch)),
        ("signature", of(&Facts { signed: false, ..right.clone() }), long, Plan::Renew(Reason::NotSigned)),
        (
            "neither signed nor able to sign",
            of(&Facts { signed: false, signs: false, ..right.clone() }),
            long,
            Plan::Start(Reason::NotSigned),
        ),
        (
            "name",
            of(&Facts { names: BTreeSet::from(["guard".to_owned()]), ..right.clone() }),
            long,
            Plan::Renew(Reason::NameMissing("guard.test.svc".to_owned())),
        ),
        ("leaf of the future", of(&Facts { leaf: not_yet, ..right.clone() }), long, Plan::Renew(Reason::NotYetValid)),
        (
            "leaf two thirds old",
            of(&Facts { leaf: made(250 * DAY, YEAR), ..right.clone() }),
            None,
            Plan::Renew(Reason::Ending(115 * DAY)),
        ),
        (
            "leaf older than new ones get",
            of(&Facts { leaf: made(250 * DAY, 3 * YEAR), ..right.clone() }),
            None,
            Plan::Renew(Reason::Ending(YEAR)),
        ),
        (
            "last leaf of its authority",
            of(&Facts {
                authority: made(9 * YEAR, 10 * YEAR),
                leaf: Validity { until: now + YEAR, ..right.leaf },
                ..announced.clone()
            }),
            short,
            Plan::Keep,
        ),
        ("authority two thirds old", of(&old), long, Plan::Announce(Reason::Ending(3 * YEAR))),
        (
            "authority without its key",
            of(&Facts { signs: false, ..right.clone() }),
            long,
            Plan::Announce(Reason::CannotSign),
        ),
        (
            "authority ended",
            of(&Facts { authority: ended, ..right.clone() }),
            long,
            Plan::Announce(Reason::Ending(Duration::ZERO)),
        ),
        (
            "authority of the future",
            of(&Facts { authority: not_yet, ..right.clone() }),
            long,
            Plan::Announce(Reason::NotYetValid),
        ),
        ("announced, published a moment ago", of(&announced), short, Plan::Keep),
        ("announced, not published everywhere", of(&announced), None, Plan::Keep),
        ("announced and settled", of(&announced), long, Plan::Switch),
        (
            "announced and settled, the one in use has ended",
            of(&Facts { authority: ended, ..announced.clone() }),
            long,
            Plan::Switch,
        ),
        (
            "announced so long ago that it has ended",
            of(&Facts { next: Some(ended), ..old }),
            long,
            Plan::Announce(Reason::Ending(Duration::ZERO)),
        ),
        (
            "settled while the one before is still trusted",
            of(&Facts { previous: Some(now + DAY), ..announced }),
            long,
            Plan::Keep,
        ),
        ("switched", of(&switched), long, Plan::Keep),
        (
            "switched a leaf's life ago",
            of(&Facts { previous: Some(now - DAY), ..switched.clone() }),
            long,
            Plan::Retire,
        ),
        (
            "the same with a leaf two thirds old: that ends, and the trust harms nobody",
            of(&Facts { leaf: made(250 * DAY, YEAR), previous: Some(now - DAY), ..switched.clone() }),
            long,
            Plan::Renew(Reason::Ending(115 * DAY)),
        ),
        ("the same by a clock that jumped", of(&Facts { previous: Some(now - DAY), ..switched }), short, Plan::Keep),
    ];
    let names = ["guard", "guard.test.svc"];
    for (case, stored, published, expected) in cases {
        let published = published.map(Duration::from_secs);
        assert_eq!(plan(&stored, names, &Lifetimes::default(), now, published), expected, "{case}");
    }
}

#[test]
fn lifetimes_must_fit_together() {
    let of = |authority: &str, leaf: &str| Lifetimes::new(read(authority).unwrap(), read(leaf).unwrap());
    let fits = of("10m", "2m").unwrap();
    assert_eq!((fits.settle(), fits.check_interval()), (Duration::from_secs(20), Duration::from_secs(10)));
    assert_eq!(
        (Lifetimes::default().settle(), Lifetimes::default().check_interval()),
        (Duration::from_secs(120), Duration::from_secs(10))
    );
    assert!(of("24s", "6s").is_ok() && of("36500d", "3650d").is_ok());
    for (authority, leaf, says) in [
        ("10m", "5s", "--certificate-life is 5s, must be between 6s and 3650d"),
        ("36500d", "3651d", "--certificate-life is 3651d, must be between 6s and 3650d"),
        ("7m", "2m", "--authority-life is 7m, must be between 4 times --certificate-life (8m) and 36500d"),
        ("36501d", "1d", "--authority-life is 36501d, must be between 4 times --certificate-life (4d) and 36500d"),
    ] {
        let error: LifetimesError = of(authority, leaf).unwrap_err();
        assert!(error.to_string().starts_with(says), "{error}");
    }
    for text in
        ["", "s", "10", "1.5h", "-1h", "+1h", "1 h", "10ms", "99999999999999999999d", "18446744073709551615d", "1ä"]
    {
        assert!(read(text).unwrap_err().contains("as in 90d"), "{text:?}");
    }
}
