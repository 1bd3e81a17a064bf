//! A rotation, step by step, in a world that is only data: replicas that look when they like, clocks that say what they
//! like, somebody who meddles, and API servers that may still believe everything they were told within the settling
//! time.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use singleton_guard::certs::lifetimes::Lifetimes;
use singleton_guard::certs::plan::{BACKDATED, Facts, Plan, Stored, Validity, plan};

const NAME: &str = "guard.test.svc";

/// What happens next, after some time.
#[derive(Debug, Clone)]
enum Event {
    /// A replica looks, by a clock that is wrong by so many seconds; between reading and acting passes a part of the
    /// time that it may take.
    Look { replica: usize, clock: i64, pause: f64 },
    /// A replica is killed and starts again.
    Restart { replica: usize },
    /// Somebody writes a caBundle with just the authorities of the leaves in use.
    Meddle,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the clocks say: no leaf is ever served that a caBundle would not verify that any API server may still
    /// go by.
    #[test]
    fn no_leaf_is_served_that_some_api_server_cannot_verify(
        leaf in 6_u64..600,
        ratio in 4_u32..12,
        events in prop::collection::vec(event(), 50..400),
        steps in prop::collection::vec(0.0_f64..0.12, 400),
    ) {
        let leaf = Duration::from_secs(leaf);
        let mut world = World::new(Lifetimes::new(leaf * ratio, leaf).unwrap(), 3);
        for (event, step) in events.into_iter().zip(steps) {
            world.pass_time(step)?;
            match event {
                Event::Look { replica, clock, pause } => world.look(replica, clock, pause)?,
                Event::Restart { replica } => world.replicas[replica] = Replica::default(),
                Event::Meddle => world.meddle(),
            }
            world.check()?;
        }
    }
}

/// With clocks that are right a rotation comes to its end again and again, and no leaf ends in use.
#[test]
fn an_hour_of_short_lives_is_lived_through() {
    let mut world = World::new(Lifetimes::new(Duration::from_secs(600), Duration::from_secs(120)).unwrap(), 2);
    while world.elapsed < Duration::from_secs(3600) {
        world.pass_time(0.25).unwrap();
        world.check().unwrap();
        let now = world.clock(0);
        let leaf = world.stored.as_ref().map(|stored| stored.leaf);
        assert!(leaf.is_none_or(|leaf| leaf.contains(now)), "the stored leaf is not valid after {:?}", world.elapsed);
    }
    assert!(world.leaves >= 25 && world.switches >= 5, "{} leaves, {} switches", world.leaves, world.switches);
}

fn event() -> impl Strategy<Value = Event> {
    let clock =
        prop_oneof![4 => Just(0), 2 => -30_i64..30, 1 => Just(86_400), 1 => Just(-86_400), 1 => -5_000_i64..5_000];
    prop_oneof![
        12 => (0_usize..3, clock, 0.0_f64..0.45).prop_map(|(replica, clock, pause)| Event::Look { replica, clock, pause }),
        1 => (0_usize..3).prop_map(|replica| Event::Restart { replica }),
        1 => Just(Event::Meddle),
    ]
}

/// An authority by its number.
type Authority = (u32, Validity);

/// The authorities that are trusted, the one in use, and the generation of the configurations.
type Trust = (BTreeSet<u32>, u32, u32);

/// What the Secret holds.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    authority: Authority,
    leaf: Validity,
    next: Option<Authority>,
    previous: Option<(u32, SystemTime)>,
}

#[derive(Debug, Clone, Default)]
struct Replica {
    /// The authority of the leaf in use.
    serves: Option<u32>,
    /// What trust it has seen everywhere, in which generation, and since when.
    published: Option<(Trust, Duration)>,
    looked: Duration,
}

struct World {
    lifetimes: Lifetimes,
    elapsed: Duration,
    stored: Option<Held>,
    version: u32,
    /// caBundles with the time at which each was written, oldest first, as long as somebody may still go by them.
    bundles: VecDeque<(Duration, BTreeSet<u32>)>,
    generation: u32,
    replicas: Vec<Replica>,
    authorities: u32,
    leaves: u32,
    switches: u32,
}

impl World {
    fn new(lifetimes: Lifetimes, replicas: usize) -> Self {
        Self {
            lifetimes,
            elapsed: Duration::ZERO,
            stored: None,
            version: 0,
            bundles: VecDeque::new(),
            generation: 0,
            replicas: vec![Replica::default(); replicas],
            authorities: 0,
            leaves: 0,
            switches: 0,
        }
    }

    /// Lets a part of a leaf's life pass. A replica that lives looks as often as it does: at the latest a settling time
    /// after the last time.
    fn pass_time(&mut self, part: f64) -> Result<(), TestCaseError> {
        let end = self.elapsed + self.lifetimes.leaf().mul_f64(part);
        while self.elapsed < end {
            self.elapsed = (self.elapsed + self.lifetimes.settle() / 4).min(end);
            for replica in 0..self.replicas.len() {
                let since = self.elapsed.saturating_sub(self.replicas[replica].looked);
                if self.replicas[replica].serves.is_none() || since >= self.lifetimes.check_interval() {
                    self.look(replica, 0, 0.0)?;
                }
            }
        }
        Ok(())
    }

    fn clock(&self, wrong_by: i64) -> SystemTime {
        let right = UNIX_EPOCH + Duration::from_secs(50 * 365 * 86_400) + self.elapsed;
        if wrong_by < 0 {
            right - Duration::from_secs(wrong_by.unsigned_abs())
        } else {
            right + Duration::from_secs(wrong_by.unsigned_abs())
        }
    }

    /// One look, as `certs::own` makes it: read, publish, plan, write if nobody else has.
    fn look(&mut self, replica: usize, clock: i64, pause: f64) -> Result<(), TestCaseError> {
        for _ in 0..8 {
            let (read, version) = (self.stored.clone(), self.version);
            self.replicas[replica].looked = self.elapsed;
            if pause > 0.0 {
                // Others go on meanwhile.
                self.elapsed += self.lifetimes.settle().mul_f64(pause);
                for other in (0..self.replicas.len()).filter(|other| *other != replica) {
                    self.look(other, -clock, 0.0)?;
                }
            }
            let now = self.clock(clock);
            let stored = read.as_ref().map_or(Stored::Nothing, |held| Stored::Material(facts(held)));
            let is_due = matches!(plan(&stored, [NAME], &self.lifetimes, now, None), Plan::Renew(_));
            let published = read.as_ref().filter(|_| !is_due).map(|held| self.publish(replica, held));
            self.check()?;
            let step = plan(&stored, [NAME], &self.lifetimes, now, published);
            if step == Plan::Keep {
                return Ok(());
            }
            let written = self.carry_out(&step, read, now);
            if version == self.version {
                self.stored = Some(written);
                self.version += 1;
                self.switches += u32::from(step == Plan::Switch);
                self.leaves += u32::from(matches!(step, Plan::Start(_) | Plan::Renew(_) | Plan::Switch));
            }
        }
        Ok(())
    }

    /// Makes everybody trust it, serves it, and says for how long the trust has been seen.
    fn publish(&mut self, replica: usize, held: &Held) -> Duration {
        let authority = held.authority.0;
        let trusted: BTreeSet<u32> = held
            .previous
            .map(|(number, _)| number)
            .into_iter()
            .chain([authority])
            .chain(held.next.map(|next| next.0))
            .collect();
        let written = self.bundles.back().is_none_or(|(_, bundle)| *bundle != trusted);
        if written {
            self.bundles.push_back((self.elapsed, trusted.clone()));
            self.generation += 1;
        }
        let replica = &mut self.replicas[replica];
        replica.serves = Some(authority);
        let trust = (trusted, authority, self.generation);
        if replica.published.as_ref().is_none_or(|(published, _)| *published != trust) {
            replica.published = Some((trust, self.elapsed));
        }
        replica.published.as_ref().map_or(Duration::ZERO, |(_, since)| self.elapsed.saturating_sub(*since))
    }

    fn carry_out(&mut self, step: &Plan, held: Option<Held>, now: SystemTime) -> Held {
        let (authority_life, leaf_life) = (self.lifetimes.authority(), self.lifetimes.leaf());
        let leaf =
            |authority: &Authority| Validity { from: now - BACKDATED, until: (now + leaf_life).min(authority.1.until) };
        let mut authority = || {
            self.authorities += 1;
            (self.authorities, Validity { from: now - BACKDATED, until: now + authority_life })
        };
        match (step, held) {
            (Plan::Renew(_), Some(held)) => Held { leaf: leaf(&held.authority), ..held },
            (Plan::Announce(_), Some(held)) => Held { next: Some(authority()), ..held },
            (Plan::Switch, Some(held)) => {
                let next = held.next.expect("a switch without an announcement");
                let until = (now + leaf_life).max(held.leaf.until);
                Held { authority: next, leaf: leaf(&next), next: None, previous: Some((held.authority.0, until)) }
            }
            (Plan::Retire, Some(held)) => Held { previous: None, ..held },
            (_, None) => {
                let authority = authority();
                Held { leaf: leaf(&authority), authority, next: None, previous: None }
            }
            (step, held) => panic!("{step:?} of {held:?}"),
        }
    }

    fn meddle(&mut self) {
        let used = self.replicas.iter().filter_map(|replica| replica.serves).collect();
        self.bundles.push_back((self.elapsed, used));
        self.generation += 1;
    }

    /// Every caBundle that was in force at some moment of the last settling time verifies every leaf in use.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let settled = self.elapsed.saturating_sub(self.lifetimes.settle());
        // The first of them was still in force then.
        while self.bundles.get(1).is_some_and(|(at, _)| *at <= settled) {
            self.bundles.pop_front();
        }
        for authority in self.replicas.iter().filter_map(|replica| replica.serves) {
            for (at, bundle) in &self.bundles {
                prop_assert!(
                    bundle.contains(&authority),
                    "at {:?} a leaf of {authority} is served, and the bundle of {at:?} is {bundle:?}",
                    self.elapsed
                );
            }
        }
        Ok(())
    }
}

fn facts(held: &Held) -> Facts {
    Facts {
        authority: held.authority.1,
        signs: true,
        leaf: held.leaf,
        names: BTreeSet::from([NAME.to_owned()]),
        key_matches: true,
        signed: true,
        next: held.next.map(|next| next.1),
        previous: held.previous.map(|(_, until)| until),
    }
}
