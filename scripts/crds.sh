#!/usr/bin/env bash
# The CustomResourceDefinitions are generated from the Rust types, into crds/ and into the chart.
#
#   crds.sh write|check
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

files=(crds/application.yaml charts/windlass/files/crds/application.yaml)

generated=$(cargo run --quiet --locked -- crds)
case ${1:-} in
  write)
    for file in "${files[@]}"; do printf '%s\n' "$generated" >"$file"; done
    ;;
  check)
    for file in "${files[@]}"; do
      if ! diff -u "$file" <(printf '%s\n' "$generated") >&2; then
        echo "$file is not current; run: make crds" >&2
        exit 1
      fi
    done
    ;;
  *) echo "usage: crds.sh write|check" >&2; exit 2 ;;
esac
