# Short names for everyday commands. `just` lists them.

_default:
    @just --list --unsorted

# The main job, on the embedded service
try:
    cargo run -- apply examples/policies --yes

# All tests, or those whose name contains NAME
test NAME='':
    cargo test --locked -- {{NAME}}

# Accept everything that tests store; read the diff afterwards
accept NAME='':
    SEAWALL_ACCEPT=1 INSTA_UPDATE=always cargo test --locked -- {{NAME}}
    cargo run --locked --quiet -- schema > schemas/seawall.schema.json
    git diff --stat

# What a change has to pass: all of it, or the parts `lint`, `test`, `rehearsals`
ci *PARTS:
    .ci/run {{PARTS}}

# One benchmark: `access`, `calls`, `plan`, `replay` or `validate`
bench NAME:
    cargo bench --locked --bench {{NAME}}

# The documentation of the code, in a browser
doc:
    cargo doc --locked --no-deps --open

# Changes the code in small ways and lists what no test notices: a part of all, such as `0/64`, or with `--re PATH`
mutants PART='0/1' *ARGS:
    cargo mutants --workspace --in-place --no-shuffle --shard {{PART}} {{ARGS}}

# The emulator against the descriptions of both services
schemathesis:
    cargo build --locked
    .ci/schemathesis target/schemathesis target/debug/seawall
