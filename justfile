# Thin wrappers for daily use; see `cargo xtask help` for the rest.

cache := env("WATCHBELL_CACHE", cache_directory() / "watchbell")

export CARGO_TARGET_DIR := env("CARGO_TARGET_DIR", cache / "target")
export WATCHBELL_PLUGINS := env("WATCHBELL_PLUGINS", cache / "plugins")
export WATCHBELL_GUESTS := env("WATCHBELL_GUESTS", cache / "guests")

# List the recipes
default:
    @just --list --unsorted

# All that CI does, quickest first
check *ARGS:
    cargo xtask test {{ ARGS }}

# Unit and integration tests, without the real servers: `just test -p watchbell-pipeline`
test *ARGS="--workspace":
    cargo test {{ ARGS }}

# Accept what golden tests now print; read the diff before committing it
bless:
    BLESS=1 cargo test -p watchbell-manifest -p alerter-http

# Build the plugins and the test guests as components
plugins:
    cargo xtask plugins

# Run the host: `just run check rules`
run *ARGS:
    cargo run -p watchbell -- {{ ARGS }}

# Put `watchbell` into ~/.local/bin, all plugins inside
install *ARGS:
    cargo xtask install {{ ARGS }}

# Watch a rule find a spike in a live log stream
demo *ARGS:
    cargo xtask demo {{ ARGS }}

# Replay one seed of the simulator
sim SEED:
    SEED={{ SEED }} cargo test -p watchbell-pipeline --test sim -- --nocapture

# What hostile clusters, receivers, modules, manifests and documents can do (docs/security.md)
attacks:
    cargo xtask attacks

# Inputs that nobody thought of, for every reader of foreign bytes: `just fuzz lucene --minutes 5`
fuzz *ARGS:
    cargo xtask fuzz {{ ARGS }}

# Real Elasticsearch and OpenSearch servers until Ctrl-C: `just servers es9`
servers *ARGS:
    cargo xtask servers {{ ARGS }}

# Measure; `just bench elastalert` compares side by side
bench *ARGS:
    cargo xtask bench {{ ARGS }}

# Licences, advisories, banned crates and sources of dependencies (needs cargo-deny)
deny:
    cargo deny check
