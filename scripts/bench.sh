#!/usr/bin/env bash
# Measures Windlass against a bare apply loop on one cluster; docs/benchmarks.md says what and how to read
# it. Arguments go to the benchmark: bench.sh --apps 1000, bench.sh --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Built first, so that no compiler runs while something is measured.
cluster=$(tests/cluster/build.sh cluster)
kwok=$(tests/cluster/build.sh kwok)
cargo bench --locked --bench cluster --no-run
WINDLASS_TEST_CLUSTER=$cluster WINDLASS_TEST_KWOK=$kwok exec cargo bench --quiet --locked --bench cluster -- "$@"
