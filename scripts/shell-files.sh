#!/usr/bin/env bash
# The shell scripts of the tree, one a line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find . \( -path ./target -o -path ./.git -o -name node_modules \) -prune -o -type f \( -name '*.sh' -o -path './.ci/*' \) -print |
  LC_ALL=C sort
