#!/usr/bin/env bash
# A Rust file has one job; one of more than 400 lines has several.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

limit=400
long=$(find crates src tests -name '*.rs' -not -path '*/node_modules/*' -exec wc -l {} + |
  awk -v limit="$limit" '$2 != "total" && $1 > limit { print $2 " has " $1 " lines, " limit " are allowed" }')
[[ -z $long ]] || { printf '%s\n' "$long" >&2; exit 1; }
