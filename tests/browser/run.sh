#!/usr/bin/env bash
# Looks at the status page in a browser, with what it shows made up; tests/behaviour does so with a controller.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

./install.sh
cd ../..
cargo test --locked --test status_page -- --include-ignored --nocapture
