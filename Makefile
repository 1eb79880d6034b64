# Every target is a small script or one command; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help build check fmt clippy test test-core test-behaviour test-browser cluster demo bench crds clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the program (target/release/windlass)
	scripts/ensure-tools.sh build
	cargo build --release --locked

check: ## Check form and rules: fmt, clippy, the core's purity, generated files, Go, shell
	scripts/check.sh

fmt: ## Format all Rust and Go
	cargo fmt --all
	gofmt -w tests

clippy: ## Lint all Rust, warnings denied
	cargo clippy --workspace --all-targets --locked -- -D warnings

test: ## Everything that CI runs: check, core, behaviour and browser tests
	scripts/ensure-tools.sh test
	scripts/check.sh
	scripts/test.sh core behaviour browser

test-core: ## Unit, property and snapshot tests; no cluster, seconds
	scripts/test.sh core

test-behaviour: ## Tests against a real control plane, which they start
	scripts/ensure-tools.sh build
	scripts/test.sh behaviour

test-browser: ## The status page in a headless Chromium
	scripts/ensure-tools.sh test
	scripts/test.sh browser

cluster: ## Start a development cluster with fake nodes; it stays until Ctrl-C
	scripts/ensure-tools.sh build
	scripts/cluster.sh

demo: ## See it work: cluster, Git server, controller and a tour (DEMO=tour exits after it)
	scripts/ensure-tools.sh demo
	scripts/demo.sh

bench: ## Measure against a bare apply loop on the same cluster (ARGS="--apps 1000")
	scripts/ensure-tools.sh build
	scripts/bench.sh $(ARGS)

crds: ## Write the CustomResourceDefinitions from the Rust types
	scripts/crds.sh write

clean: ## Remove what was built here (the shared cache of the cluster's programs stays)
	cargo clean
