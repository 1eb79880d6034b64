#!/usr/bin/env bash
# Runs the tests of the kinds named, in that order.
#
#   test.sh [core|behaviour|browser]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

core() {
  cargo test --locked --workspace --lib --bins
  cargo test --locked --test project
}

# The programs are built first and by name, so that a test never waits for a compiler.
behaviour() {
  tests/cluster/build.sh cluster kwok helm prometheus
  tests/cluster/check.sh
  cargo test --locked --test '*'
}

browser() {
  tests/browser/run.sh
}

(($#)) || { echo "usage: test.sh [core|behaviour|browser]..." >&2; exit 2; }
for kind in "$@"; do
  case $kind in
    core | behaviour | browser) echo "test: $kind" >&2; "$kind" ;;
    *) echo "usage: test.sh [core|behaviour|browser]..." >&2; exit 2 ;;
  esac
done
