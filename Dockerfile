# A small image: the static program, the certificates that TLS needs, and nothing else.
#   docker build -t seawall . && docker run --rm -v "$PWD:/work:ro" seawall validate
FROM rust:1.95-alpine AS build
RUN apk add --no-cache ca-certificates gcc musl-dev
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY benches benches
COPY crates crates
COPY examples examples
COPY schemas schemas
COPY src src
# The commit of a release, for the workflows that `seawall init` writes.
ARG SEAWALL_RELEASE_COMMIT
RUN cargo build --profile dist --locked --bin seawall && cp target/dist/seawall /seawall

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /seawall /seawall
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/seawall"]
