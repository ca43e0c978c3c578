#!/bin/bash
# Builds the tracker for browsers, server/web/tracker.wasm (relaxed SIMD) and server/web/tracker-plain.wasm (SIMD alone), and
# records what they were made of, for the test that tells when they are out of date. To be run after a change to
# models/kernels, models/holistic or models/browser.
#
# The compiler for WebAssembly is rustup's target wasm32-unknown-unknown, or, where that can't be had, Debian's rustc-web, which is
# unpacked into .cache/rust-web, not installed. wasm-opt is npm's binaryen, of the version below, or the one that WASM_OPT names.
set -euo pipefail
cd "$(dirname "$0")/.."

binaryen=132.0.0
target=wasm32-unknown-unknown
toolchain=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
build_std=()

if ! rustup target add --toolchain "$toolchain" "$target"; then
    echo "rustup has no $target to give: building the standard library with Debian's rustc-web instead." >&2
    kept=$PWD/.cache/rust-web
    if [[ ! -x $kept/usr/bin/rustc ]]; then
        mkdir -p "$kept/packages"
        depends_on() { apt-cache depends "$1" | sed -n "s/ *Depends: \\($2[0-9.]*\\)$/\\1/p"; }
        library=$(depends_on libstd-rust-web-dev libstd-rust-web-)
        (cd "$kept/packages" && apt-get download rustc-web rust-web-src libstd-rust-web-dev "$library" \
            "$(depends_on "$library" libllvm)")
        for package in "$kept"/packages/*.deb; do dpkg -x "$package" "$kept"; done
    fi
    export LD_LIBRARY_PATH=$kept/usr/lib/x86_64-linux-gnu RUSTC=$kept/usr/bin/rustc RUSTDOC=$kept/usr/bin/rustdoc
    export RUSTC_BOOTSTRAP=1
    sysroot=$(rustup run "$toolchain" rustc --print sysroot)
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$sysroot/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld
    build_std=(-Zbuild-std=std,panic_abort)
fi

wasm_opt=${WASM_OPT:-.cache/binaryen-$binaryen/node_modules/.bin/wasm-opt}
if [[ ! -x $wasm_opt ]]; then
    npm install --silent --prefix ".cache/binaryen-$binaryen" "binaryen@$binaryen"
fi

# No folder of this machine is written into the files.
flags=("--remap-path-prefix=$PWD=")
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do flags+=("--remap-path-prefix=$sources=crates"); done

build() {
    local name=$1 features=$2
    shift 2
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Ctarget-feature=$features ${flags[*]}" \
        cargo "+$toolchain" build "${build_std[@]}" --package dactyl-browser --profile browser --target "$target"
    "$wasm_opt" -O3 "$@" --strip-debug --strip-producers --strip-target-features \
        "${CARGO_TARGET_DIR:-target}/$target/browser/dactyl_browser.wasm" -o "server/web/$name.wasm"
    ls -l "server/web/$name.wasm"
}
# What rustc's own target has, as browsers do since 2021.
basic=(--enable-simd --enable-bulk-memory --enable-bulk-memory-opt --enable-nontrapping-float-to-int --enable-sign-ext
    --enable-mutable-globals --enable-multivalue --enable-reference-types --enable-call-indirect-overlong)
build tracker +simd128,+relaxed-simd "${basic[@]}" --enable-relaxed-simd
build tracker-plain +simd128 "${basic[@]}"

compilers="$("${RUSTC:-rustc}" "+$toolchain" --version 2>/dev/null || "$RUSTC" --version), $("$wasm_opt" --version)"
unset LD_LIBRARY_PATH RUSTC RUSTDOC RUSTC_BOOTSTRAP
DACTYL_RECORD=$compilers cargo test --package dactyl-browser --test built
