#!/usr/bin/env bash
# The CustomResourceDefinitions are generated from the Rust types, a file each, into crds/ and into the chart.
#
#   crds.sh write|check
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
cargo run --quiet --locked -- crds --directory "$generated"

for directory in crds charts/windlass/files/crds; do
  case ${1:-} in
    write)
      rm -f "$directory"/*.yaml
      cp "$generated"/*.yaml "$directory"
      ;;
    check)
      if ! diff -ru "$directory" "$generated" >&2; then
        echo "$directory is not current; run: make crds" >&2
        exit 1
      fi
      ;;
    *) echo "usage: crds.sh write|check" >&2; exit 2 ;;
  esac
done
