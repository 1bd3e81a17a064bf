# The image: one static binary, nothing else. No shell, no libraries, no certificates: the API server's authority comes
# with the Pod's ServiceAccount.
#
#   docker build -t singleton-guard:dev --build-arg REVISION="$(git rev-parse HEAD)" .
#
# Without a daemon, and the same byte by byte for the same binary: `cargo run --example image` (tests/image.rs).

# The compiler is the image's own, in the version of rust-toolchain.toml. For a build that can be repeated bit by bit
# give the image by digest: --build-arg RUST=docker.io/library/rust@sha256:...
ARG RUST=docker.io/library/rust:1.95.0-alpine
FROM ${RUST} AS build
# For the C parts: the cryptography and the allocator.
RUN apk add --no-cache gcc musl-dev linux-headers
WORKDIR /build
COPY Cargo.toml Cargo.lock build.rs ./
COPY src ./src
# At its first use of randomness AWS-LC would measure the jitter of the CPU, some 20 ms of every start, so as not to depend on
# the kernel's getrandom alone. Without it that second source is the CPU's own (RDRAND, RNDR) where there is one.
ENV AWS_LC_SYS_NO_JITTER_ENTROPY=1
# Paths of this machine would end up in panic messages.
ENV RUSTFLAGS="--remap-path-prefix=/usr/local/cargo=cargo --remap-path-prefix=/build=."
# What `singleton_guard_build_info` says; part of the bytes, so leave it out to compare two builds.
ARG REVISION=""
ENV SINGLETON_GUARD_REVISION=${REVISION}
RUN cargo build --release --locked --bin singleton-guard \
    # It must run where nothing else is: no interpreter, no shared library.
    && ! readelf -ld target/release/singleton-guard | grep -E 'INTERP|NEEDED'

FROM scratch
COPY --from=build /build/target/release/singleton-guard /singleton-guard
# A huge page is resident as a whole once a byte of it is used: they double what the program takes.
ENV MIMALLOC_ALLOW_THP=0
# nobody, as in distroless' "nonroot"
USER 65532:65532
ENTRYPOINT ["/singleton-guard"]
