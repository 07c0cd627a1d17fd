# Common commands; `just` lists them. Each also works without just (https://just.systems).

# List the commands
default:
    @just --list

# Install the packages that the build and the tests need
setup:
    ./scripts/setup.sh tests

# Build the program
build:
    cargo build --release --locked

# Run all checks and tests, as CI does
test:
    ./scripts/test.sh

# Run the tests whose name contains NAME, as in: just one slices
one NAME:
    cargo test --release --locked {{ NAME }}

# Format the code, and report lints
lint:
    cargo fmt --all
    cargo clippy --release --locked --workspace --all-targets -- -D warnings

# Open the documentation of the library
doc:
    cargo doc --release --locked --no-deps --open

# Run the experiment
throughput:
    ./scripts/throughput.sh

# Measure what the project promises; run nothing else meanwhile
speed:
    ./scripts/speed.sh

# Fuzz a codec for a minute: framed, http2 or zmtp (needs nightly Rust and cargo-fuzz)
fuzz TARGET:
    cargo +nightly fuzz run {{ TARGET }} -- -max_total_time=60
