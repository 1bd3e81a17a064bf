# One recipe a job; `just` alone lists them. The gate (.ci/run) calls the same recipes, so what passes here passes there.
# Nobody needs just: each recipe is a command that can be typed, and `cargo test` and the demo work without it.

set shell := ["bash", "-euc"]
# For names with spaces.
set positional-arguments

counted := "tests/bench/instructions/Cargo.toml"
# Kept outside the checkout, because it takes minutes to compile.
tools := env("XDG_CACHE_HOME", home_directory() / ".cache") / "singleton-guard/tools"
deny := "0.20.2"
static := "x86_64-unknown-linux-musl"
# The features of the programs beside the server.
programs := "cli,elect"

_list:
    @just --list --unsorted

# Format the code
[group("every day")]
fmt:
    cargo fmt --all
    cargo fmt --all --manifest-path {{ counted }}

# Format, lints, docs and the specification, in minutes: no live test, and no other program of `just test`
[group("every day")]
quick: format pure people lints docs
    cargo test --locked --test spec
    cargo test --locked --features {{ programs }} --test check
    cargo test --locked --doc

# What needs no cluster and has this text in its name: just spec documentation::
[group("every day")]
spec *FILTER:
    cargo test --locked --test spec -- "$@"

# What has this text in its name, on a real control plane: just live cases::scale/
[group("every day")]
live *FILTER:
    cargo test --locked --test live -- "$@"

# Write again what is made from code (the chart's webhooks and policies, tables, messages)
[group("every day")]
update:
    UPDATE=1 cargo test --locked --test spec
    UPDATE=1 cargo test --locked --features {{ programs }} --test check page

# The guard on a real control plane on this machine: just demo --stay
[group("every day")]
demo *FLAGS:
    cargo run --locked --quiet --example demo -- "$@"

# The whole gate: all of the next group in its order, with the tools that it needs
[group("every day")]
gate:
    .ci/run

# Is the code formatted?
[group("gate")]
format:
    cargo fmt --all --check
    cargo fmt --all --check --manifest-path {{ counted }}

# The pure rooms compile without kube, axum, tokio and rustls
[group("gate")]
pure:
    cargo clippy --locked --lib --no-default-features -- -D warnings
    tree=$(cargo tree --locked --no-default-features --edges normal --prefix none) && ! grep -E '^(kube|k8s-openapi|axum|hyper|tokio|rustls) ' <<< "$tree"

# The program for people compiles without server and cryptography
[group("gate")]
people:
    cargo check --locked --no-default-features --features cli
    tree=$(cargo tree --locked --no-default-features --features cli --edges normal --prefix none) && ! grep -E '^(kube|k8s-openapi|axum|hyper|tokio|rustls) ' <<< "$tree"

# Lints, with either cryptography
[group("gate")]
lints:
    cargo clippy --locked --all-targets --features {{ programs }} -- -D warnings
    cargo check --locked --no-default-features --features server,ring

# What the Dockerfile copies is enough to build the program
[group("gate")]
copied:
    #!/usr/bin/env bash
    set -euo pipefail
    copied=$(mktemp -d)
    # Each line is: COPY WHAT... WHERE
    sed -n 's/^COPY \([^-].*\) [^ ]*$/\1/p' Dockerfile | xargs cp -r --target-directory="$copied"
    CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}" cargo check --locked --bin singleton-guard --manifest-path "$copied/Cargo.toml"
    rm -r "$copied"

# Licences, sources, versions and advisories of all crates
[group("gate")]
crates:
    #!/usr/bin/env bash
    set -euo pipefail
    [ "$("{{ tools }}/bin/cargo-deny" --version 2>/dev/null)" = "cargo-deny {{ deny }}" ] ||
      cargo install cargo-deny --locked --version {{ deny }} --root "{{ tools }}" --quiet
    "{{ tools }}/bin/cargo-deny" --locked check bans licenses sources
    # The advisories come from a git host, which not every machine can reach: where it can, they count.
    if git ls-remote --quiet https://github.com/RustSec/advisory-db HEAD >/dev/null 2>&1; then
      "{{ tools }}/bin/cargo-deny" --locked check advisories
    else
      echo "the advisory database cannot be reached: advisories are not checked here"
    fi

# The workflows of a public forge
[group("gate")]
workflows:
    go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# The documentation of the code, with every link in it
[group("gate")]
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet --features {{ programs }}

# All tests
[group("gate")]
test:
    cargo test --locked --features {{ programs }}

# The instructions of one decision
[group("gate")]
instructions:
    CARGO_TARGET_DIR=target cargo run --release --locked --quiet --manifest-path {{ counted }}

# The native floor alone: every refusal but those that are listed
[group("gate")]
floor:
    ONLY_FLOOR=1 cargo test --locked --test live

# The oldest Kubernetes: what is asked of /scale
[group("gate")]
oldest:
    KUBERNETES=1.30 cargo test --locked --test live -- cases::scale

# A refusal that nobody makes is noticed: live cases without the guard
[group("gate")]
unguarded:
    WITHOUT_GUARD=1 cargo test --locked --test live -- cases::scale/scaling-a-singleton

# The examples: one decision, the demo, and the demo without the guard
[group("gate")]
examples:
    cargo run --locked --quiet --example decide < tests/decide/two-replicas.json | grep '"code":"SG001"'
    cargo run --locked --quiet --example demo
    cargo run --locked --quiet --example demo -- --without-guard

# The long forms of the drills and of the attacks on a process and from a namespace, in hours
[group("long")]
long:
    LONG=1 cargo test --locked --test live -- drills:: --nocapture
    LONG=1 cargo test --locked --test live -- tenants:: --nocapture
    LONG=1 cargo test --locked --test hostile -- --nocapture

# Chaos for as many minutes as given
[group("long")]
chaos MINUTES="30":
    LONG={{ MINUTES }} cargo test --locked --test live -- chaos:: --nocapture

# What a review costs, beside other webhooks: just bench --short
[group("long")]
bench *FLAGS:
    cargo bench --locked --bench bench -- "$@"

# What it costs to follow a cluster
[group("long")]
following *FLAGS:
    cargo bench --locked --bench following -- "$@"

# The static program, the image as one file, and the list of what is in it (docs/image.md)
[group("release")]
image:
    RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" AWS_LC_SYS_NO_JITTER_ENTROPY=1 \
      cargo build --release --locked --target {{ static }} --bin singleton-guard
    cargo run --locked --quiet --example image -- --binary target/{{ static }}/release/singleton-guard --output target/image.tar
