#!/usr/bin/env bash
# Installs what the browser tests need beside Debian's Chromium and node: Playwright, without a browser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! cmp -s package-lock.json node_modules/.installed; then
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund >&2
  cp package-lock.json node_modules/.installed
fi
