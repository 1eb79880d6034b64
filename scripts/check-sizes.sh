#!/usr/bin/env bash
# A Rust file has one job; one of more than 400 lines has several.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

limit=400
long=$(git ls-files --cached --others --exclude-standard -- '*.rs' | while read -r file; do
  [[ -f $file ]] || continue
  lines=$(wc -l <"$file")
  if ((lines > limit)); then echo "$file has $lines lines, $limit are allowed"; fi
done)
[[ -z $long ]] || { printf '%s\n' "$long" >&2; exit 1; }
