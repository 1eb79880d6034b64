# The image of the controller: one static-enough binary, no shell, not root.
#
#   docker build -t windlass:0.1.0 .

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY src src
COPY askama.toml ./
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin windlass \
    && install -D target/release/windlass /out/windlass \
    && install -d -o 65532 -g 65532 /out/cache

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/windlass /usr/local/bin/windlass
COPY --from=build --chown=65532:65532 /out/cache /var/cache/windlass
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/windlass"]
CMD ["controller"]
