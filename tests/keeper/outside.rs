//! What is seen of a replica from outside, over real sockets: HTTP, and the local socket; and what the flags accept.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use singleton_guard::elect::args::Arguments;
use singleton_guard::elect::control::{Control, now};
use singleton_guard::elect::http;
use singleton_guard::elect::lock::Lock;
use singleton_guard::elect::metrics::{Outcome, StepDown, Takeover};
use singleton_guard::elect::socket::{self, Question};
use singleton_guard::elect::status::{Role, Status};

use super::bench::same;

type Simple = fn() -> Result<(), String>;

pub(super) const CHECKS: &[(&str, Simple)] = &[
    ("outside: a passive replica is ready, and not active", passive),
    ("outside: an active one shows its token and for how long it holds the lock", active),
    ("outside: without the store it is not ready; when its time is over it is not active", cut_off),
    ("outside: who watches sees a change at once", watched),
    ("outside: the local socket tells, and asks an active one to hand over", local),
    ("outside: two electors of one name on one machine are told apart", twice),
    ("outside: locks are named as documented, and nothing else is one", locks),
    ("outside: flags and durations", flags),
];

/// A control with everything that serves it.
struct Outside {
    control: Arc<Control>,
    http: SocketAddr,
    runtime: tokio::runtime::Runtime,
}

fn outside() -> Outside {
    let status = Status::new("lease://here/broker".into(), "broker-0".into(), Duration::from_secs(15));
    let control = Arc::new(Control::new(status));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(http::listen("127.0.0.1:0")).unwrap();
    let http = listener.local_addr().unwrap();
    runtime.spawn(http::serve(listener, Arc::clone(&control)));
    Outside { control, http, runtime }
}

impl Outside {
    fn make_active(&self) {
        self.control.update(|status| {
            (status.role, status.token) = (Role::Active, Some(9_007_199_254_740_993));
            (status.heard, status.active_since) = (Some(now()), Some(now()));
            status.valid_until = Some(now() + Duration::from_secs(9));
        });
    }

    /// The status code and the body.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn codes(&self) -> [u16; 3] {
        ["/active", "/readyz", "/livez"].map(|path| self.get(path).0)
    }
}

fn passive() -> Result<(), String> {
    let outside = outside();
    same("codes before the store was heard", outside.codes(), [503, 503, 200])?;
    outside.control.update(|status| (status.heard, status.holder) = (Some(now()), Some("broker-1".into())));
    same("codes", outside.codes(), [503, 200, 200])?;
    let shown: serde_json::Value = serde_json::from_str(&outside.get("/status").1).unwrap();
    same("role", &shown["role"], &"passive".into())?;
    same("holder", &shown["holder"], &"broker-1".into())?;
    same("unknown", outside.get("/unknown").0, 404)?;
    outside.control.update(|status| status.keeper_answers = false);
    same("codes when the keeper is stuck", outside.codes(), [503, 200, 503])
}

fn active() -> Result<(), String> {
    let outside = outside();
    outside.make_active();
    same("codes", outside.codes(), [200, 200, 200])?;
    let shown: serde_json::Value = serde_json::from_str(&outside.get("/status").1).unwrap();
    same("token, exactly", &shown["token"], &"9007199254740993".into())?;
    let valid = shown["validForMs"].as_u64().unwrap();
    same("validity", (8000..=9000).contains(&valid), true)?;
    outside.control.metrics.renewal(Outcome::Written, Duration::from_millis(3));
    outside.control.metrics.takeover(Takeover::Expired);
    outside.control.metrics.step_down(StepDown::Deadline);
    let metrics = outside.get("/metrics").1;
    for line in [
        "singleton_guard_elect_role{role=\"active\"} 1",
        "singleton_guard_elect_role{role=\"passive\"} 0",
        "singleton_guard_elect_token 9007199254740993",
        "singleton_guard_elect_renewals_total{result=\"written\"} 1",
        "singleton_guard_elect_renewal_seconds_count 1",
        "singleton_guard_elect_takeovers_total{why=\"expired\"} 1",
        "singleton_guard_elect_step_downs_total{why=\"deadline\"} 1",
        "singleton_guard_elect_valid_seconds 8.",
        "# EOF",
    ] {
        same(line, metrics.lines().any(|found| found.starts_with(line)), true)?;
    }
    Ok(())
}

fn cut_off() -> Result<(), String> {
    let outside = outside();
    outside.make_active();
    let past = |ago: u64| now().checked_sub(Duration::from_millis(ago));
    outside.control.update(|status| (status.heard, status.valid_until) = (past(15_100), past(1)));
    same("codes", outside.codes(), [503, 503, 200])?;
    let shown: serde_json::Value = serde_json::from_str(&outside.get("/status").1).unwrap();
    same("active", &shown["active"], &false.into())?;
    same("validity", &shown["validForMs"], &0.into())
}

fn watched() -> Result<(), String> {
    let outside = outside();
    let mut stream = TcpStream::connect(outside.http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    write!(stream, "GET /watch HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap).filter(|line| line.starts_with("data: "));
    same("first", lines.next().unwrap().contains("\"role\":\"passive\""), true)?;
    outside.make_active();
    // Sooner than it would be shown again anyway.
    same("then", lines.next().unwrap().contains("\"role\":\"active\""), true)
}

fn local() -> Result<(), String> {
    let outside = outside();
    let name = format!("local-{}", std::process::id());
    let listener = outside.runtime.block_on(async { socket::open("lease://here/broker", &name) }).unwrap();
    outside.runtime.spawn(socket::serve(listener, Arc::clone(&outside.control)));
    let ask = |question| socket::ask("lease://here/broker", &name, question).map_err(|error| error.to_string());
    same("status", ask(Question::Status)?.contains("\"role\":\"passive\""), true)?;
    same("step-down of a passive one", ask(Question::StepDown)?.trim(), socket::PASSIVE)?;
    outside.make_active();
    same("step-down", ask(Question::StepDown)?.trim(), socket::HANDS_OVER)?;
    let asked = outside.control.asked_to_hand_over();
    let heard = outside.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), asked).await });
    same("whether the elector hears it", heard.is_ok(), true)?;
    same("another lock", socket::ask("lease://here/other", &name, Question::Status).is_err(), true)
}

fn twice() -> Result<(), String> {
    let outside = outside();
    let _inside = outside.runtime.enter();
    let name = format!("twice-{}", std::process::id());
    let first = socket::open("lease://here/broker", &name);
    same("the first", first.is_ok(), true)?;
    same("the second", socket::open("lease://here/broker", &name).is_err(), true)?;
    drop(first);
    same("after its end", socket::open("lease://here/broker", &name).is_ok(), true)
}

fn locks() -> Result<(), String> {
    let good = [
        ("lease://shop/broker", "lease://shop/broker"),
        ("lease://shop/broker.v2?server=https://10.0.0.1:6443&ca=/ca&token-file=/t", "lease://shop/broker.v2"),
        ("etcd://a,b:2380,[::1]/locks/broker", "etcd://a:2379,b:2380,[::1]:2379/locks/broker"),
        ("etcd://a:1/k?ca=/c&cert=/d&key=/e&user=u&password-file=/p", "etcd://a:1/k"),
    ];
    for (text, name) in good {
        same(text, text.parse::<Lock>().map(|lock| lock.to_string()), Ok(name.to_owned()))?;
    }
    let bad = [
        "",
        "shop/broker",
        "redis://a/b",
        "lease://shop",
        "lease://shop/",
        "lease:///broker",
        "lease://Shop/broker",
        "lease://shop/a/b",
        "lease://shop/-a",
        "lease://shop/a..b",
        "etcd://a",
        "etcd:///k",
        "etcd://a,/k",
        "etcd://a:x/k",
        "etcd://::1/k",
        "etcd://a/k?cert=/c",
        "etcd://a/k?user=u",
        "etcd://a/k?server=x",
        "lease://a/b?user=u",
        "lease://a/b?ca",
        "lease://a/b?ca=",
    ];
    for text in bad {
        same(text, text.parse::<Lock>().is_err(), true)?;
    }
    Ok(())
}

fn flags() -> Result<(), String> {
    let parsed = |line: &str| Arguments::try_parse_from(line.split(' '));
    let good = parsed("elect --lock lease://a/b --renew 500ms --stop-signal INT -- sh -c status").unwrap();
    same("command", good.command.len(), 3)?;
    let settings = good.flags.settings(good.command.clone()).map_err(|error| error.to_string())?;
    same("stop signal", settings.stop_signal, nix::sys::signal::Signal::SIGINT)?;
    same("lease", settings.timing.lease, Duration::from_secs(12))?;
    same("check", parsed("elect check --renew 1s").is_ok(), true)?;
    let usual = parsed("elect --lock lease://a/b -- true").unwrap().flags.timing().unwrap();
    same("the usual lease", (usual.lease, usual.stop_after), (Duration::from_secs(15), Duration::from_secs(9)))?;
    let table = singleton_guard::elect::table::of(&parsed("elect -- true").unwrap().flags.timing().unwrap());
    for (what, time) in [("asked to end after", "9s"), ("and killed after", "12s"), ("takes over after", "15s")] {
        same(what, table.lines().any(|line| line.contains(what) && line.ends_with(&format!(" {time}"))), true)?;
    }
    same("no lock", parsed("elect -- true").unwrap().flags.lock().is_err(), true)?;
    same("unsafe", parsed("elect --tolerate-outage 1s -- true").unwrap().flags.timing().is_err(), true)?;
    for line in [
        "elect",
        "elect true",
        "elect --lock x -- true",
        "elect --renew 2 -- true",
        "elect --renew 1.5s -- true",
        "elect --stop-signal NONE -- true",
        "elect --renew 99999999999999999999h -- true",
        "elect step-up",
    ] {
        same(line, parsed(line).is_err(), true)?;
    }
    Ok(())
}
