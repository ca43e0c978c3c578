# make run     everything from a fresh clone; ends with the server listening
# make test    the same set-up, then formatting, lints and all tests
# make bench   this machine's figures beside MediaPipe's; BENCHMARKS.md says what BENCH="..." has to hold
# make bench-page  time to the practice page's first paint, and the work that it does while it sends
# make fleet   rolling restarts, kills and hangs of three servers behind HAProxy and nginx, with thirty learners
# make soak    half an hour of clients that come and go, or DACTYL_SOAK_MINUTES=1440 make soak; what grows is a failure
# make fuzz    five minutes of each target of fuzz/, or FUZZ_SECONDS=3600 make fuzz; with the nightly compiler
# make plugins the GStreamer plugin alone
# make deb     Debian packages of the server and of its networks, in target/debian
# make try-deb the same, installed, served from, upgraded and purged on a Debian 12 in a folder; for root
# make image   an image of the server, in target/image, and a trial of it as strict as a cluster may be; for root
# make airgap  both and all packages that they need in one archive, in target/airgap, tried without a network; for root
# make tracker the tracker for browsers anew, server/web/tracker*.wasm, after a change to what it is made of
# make keys    config/default.toml and the tables of docs/configuration.md anew, after a key was added or changed
# make clean   what was built; the fetched models stay in .cache

TARGET := $(or $(CARGO_TARGET_DIR),target)
FUZZ_TARGETS := $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
FUZZ_SECONDS ?= 300

# The program and the plugin share crates whose optional features would differ if each were built alone, and cargo gives
# the plugin's library the same file name for both.
BUILD := cargo build --release --package dactyl --package gst-plugin-dactyl

.PHONY: run test bench bench-page fleet soak fuzz plugins deb try-deb image airgap tracker keys clean system system-test

run: system
	$(BUILD)
	$(TARGET)/release/dactyl models fetch
	$(TARGET)/release/dactyl serve

test: system-test
	scripts/rust-tools.sh test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo nextest run --workspace --no-run
	$(TARGET)/debug/dactyl models fetch
	cargo test --workspace --doc
	G_DEBUG=fatal_warnings cargo nextest run --workspace

bench: system
	$(BUILD) --package dactyl-bench
	$(TARGET)/release/dactyl models fetch
	$(TARGET)/release/dactyl-bench $(BENCH)

bench-page: system-test
	$(BUILD)
	$(TARGET)/release/dactyl models fetch
	cargo bench --package dactyl-tests --bench page

fleet: system-test
	cargo build --release --workspace
	$(TARGET)/release/dactyl models fetch
	DACTYL_FLEET=long cargo test --release --workspace --test fleet -- --nocapture --test-threads 1

soak: system-test
	cargo build --release --workspace
	$(TARGET)/release/dactyl models fetch
	cargo test --release --workspace --test fleet -- --nocapture --ignored nothing_grows

fuzz: system
	scripts/rust-tools.sh fuzz
	cargo build --workspace --example write_seeds
	$(TARGET)/debug/examples/write_seeds fuzz
	cp Cargo.lock fuzz/Cargo.lock
	for target in $(FUZZ_TARGETS); do \
		cargo +nightly fuzz run $$target -- -dict=fuzz/dictionaries/$$target -max_total_time=$(FUZZ_SECONDS) \
			-timeout=10 -rss_limit_mb=2048 || exit 1; \
	done

plugins: system
	$(BUILD)
	@echo "export GST_PLUGIN_PATH=$(abspath $(TARGET))/release"

deb: system
	scripts/system-packages.sh deb
	scripts/rust-tools.sh deb
	$(BUILD)
	$(TARGET)/release/dactyl models fetch
	cargo deb --no-build --strip --package dactyl
	cargo deb --no-build --package dactyl --variant networks

try-deb: deb
	scripts/system-packages.sh try-deb
	scripts/try-deb.sh

image: deb
	scripts/system-packages.sh image
	scripts/image.sh
	scripts/try-image.sh

airgap: image
	scripts/airgap.sh

tracker:
	scripts/tracker-wasm.sh

keys:
	cargo run --package dactyl-config --example write_keys

clean:
	cargo clean

system:
	scripts/rust-tools.sh
	scripts/system-packages.sh

system-test: system
	scripts/system-packages.sh test
	scripts/axe-core.sh
	scripts/kubernetes-validate.sh
