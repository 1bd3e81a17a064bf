//! When a certificate is made anew, as a table.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use singleton_guard::certs::plan::{Facts, Plan, Reason, Stored, plan};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn what_is_right_is_kept_and_everything_else_has_its_reason() {
    let now = SystemTime::now();
    let right = Facts {
        authority_until: now + 3650 * DAY,
        leaf_from: now - 10 * DAY,
        leaf_until: now + 80 * DAY,
        names: BTreeSet::from(["guard.test.svc".to_owned(), "guard".to_owned()]),
        key_matches: true,
        signed: true,
    };
    let cases: [(&str, Stored, Option<Reason>); 10] = [
        ("right", Stored::Pair(right.clone()), None),
        ("nothing", Stored::Nothing, Some(Reason::Nothing)),
        ("garbage", Stored::Garbage { cause: "x".to_owned() }, Some(Reason::Garbage("x".to_owned()))),
        ("key", Stored::Pair(Facts { key_matches: false, ..right.clone() }), Some(Reason::KeyMismatch)),
        ("signature", Stored::Pair(Facts { signed: false, ..right.clone() }), Some(Reason::NotSigned)),
        (
            "name",
            Stored::Pair(Facts { names: BTreeSet::from(["guard".to_owned()]), ..right.clone() }),
            Some(Reason::NameMissing("guard.test.svc".to_owned())),
        ),
        ("future", Stored::Pair(Facts { leaf_from: now + DAY, ..right.clone() }), Some(Reason::NotYetValid)),
        ("past", Stored::Pair(Facts { leaf_until: now - DAY, ..right.clone() }), Some(Reason::Ending(Duration::ZERO))),
        (
            "last third",
            Stored::Pair(Facts { leaf_until: now + 5 * DAY, ..right.clone() }),
            Some(Reason::Ending(5 * DAY)),
        ),
        ("authority", Stored::Pair(Facts { authority_until: now + DAY, ..right }), Some(Reason::Ending(DAY))),
    ];
    for (case, stored, reason) in cases {
        let expected = reason.map_or(Plan::Keep, |reason| Plan::Make { reason });
        assert_eq!(plan(&stored, ["guard", "guard.test.svc"], now), expected, "{case}");
    }
}
