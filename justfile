# Chores of the house. Each is also a plain cargo command, so `just` is a convenience.

# what the README shows
demo:
    cargo run --release -- demo

test:
    cargo test --workspace

# the lints and the rules, as .ci/run applies them
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test -p xtask

# whole HTTP flows beside the npm peer, checkpoint lag, POST sign (docs/benchmarks.md)
bench-flows:
    cargo build --release
    cd interop/credentials && npm ci --ignore-scripts
    node interop/bench-credentials/bench.mjs target/release/tessera
    node interop/bench-credentials/ledger.mjs target/release/tessera

# whole sign-ins beside npm's oidc-provider (docs/benchmarks.md)
bench-signin:
    cargo build --release
    cd interop/bench-signin && npm ci --ignore-scripts
    node interop/bench-signin/bench.mjs target/release/tessera

# generated pages and lists, after a change that alters them
generate:
    cargo run -p xtask -- tcb
    UPDATE_DOCS=1 cargo test --workspace
