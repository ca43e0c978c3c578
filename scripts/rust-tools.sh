#!/bin/bash
# Checks that Rust is there and, with the argument "test", installs the test runner if it is missing.
set -euo pipefail

if ! command -v cargo >/dev/null; then
    echo "Rust is not on this machine, or ~/.cargo/bin is not on PATH. Install it from https://rustup.rs" >&2
    exit 1
fi
if [[ ${1:-} == test ]] && ! cargo nextest --version >/dev/null 2>&1; then
    # Pinned, so that it builds with the toolchain of rust-toolchain.toml.
    cargo install --locked --version 0.9.143 cargo-nextest
fi
