#!/bin/sh
# All that must hold before a release. With `convoke` at hand, the library is tested as the host loads it, too.
set -eu
cd "$(dirname "$0")"

cargo fmt --check
cargo clippy --all-targets -- -D warnings
cargo test
cargo build --release

library="${CARGO_TARGET_DIR:-target}/release/{{library}}"
if command -v convoke >/dev/null; then
    convoke plugin inspect "$library"
    convoke plugin test "$library" --config '{{config_inline}}'
fi
