#!/usr/bin/env bash
# The shell scripts of the tree, one a line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

git ls-files --cached --others --exclude-standard | while read -r file; do
  [[ -f $file ]] && head -c 64 "$file" | head -n 1 | grep -qE '^#!.*\b(ba)?sh$' && printf '%s\n' "$file"
done || true
