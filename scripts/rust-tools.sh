#!/bin/bash
# Checks that Rust is there and installs what is missing: with the argument "test" the test runner, with "deb" what makes
# Debian packages, with "fuzz" the fuzzer and the nightly compiler that it needs.
set -euo pipefail

if ! command -v cargo >/dev/null; then
    echo "Rust is not on this machine, or ~/.cargo/bin is not on PATH. Install it from https://rustup.rs" >&2
    exit 1
fi
if [[ ${1:-} == test ]] && ! cargo nextest --version >/dev/null 2>&1; then
    # Pinned, so that it builds with the toolchain of rust-toolchain.toml.
    cargo install --locked --version 0.9.143 cargo-nextest
fi
if [[ ${1:-} == deb ]] && ! cargo deb --version >/dev/null 2>&1; then
    cargo install --locked --version 3.8.0 cargo-deb
fi
if [[ ${1:-} == fuzz ]]; then
    cargo +nightly --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
    cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --version 0.13.2 cargo-fuzz
fi
