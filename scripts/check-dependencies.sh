#!/usr/bin/env bash
# Two rules about crates: the core does no I/O, and there is one TLS stack that needs a C compiler only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# crates PACKAGE: the names of all crates that end up in it.
crates() { cargo tree --locked --prefix none --edges normal,build --package "$1" --format '{p}' | awk '{ print $1 }' | sort -u; }

# none_of PACKAGE REASON CRATE...
none_of() {
  local package=$1 reason=$2 found
  shift 2
  found=$(crates "$package" | grep -xF "$(printf '%s\n' "$@")" || true)
  if [[ -n $found ]]; then
    printf '%s: depends on %s\n  see: cargo tree --package %s --invert %s\n' \
      "$reason" "${found//$'\n'/, }" "$package" "${found%%$'\n'*}" >&2
    return 1
  fi
}

none_of windlass-core "windlass-core does no I/O" \
  tokio async-std smol mio hyper hyper-util reqwest tower kube-client kube-runtime rustls git2 socket2 axum
none_of windlass "one TLS stack, rustls with ring" \
  openssl openssl-sys native-tls aws-lc-rs aws-lc-sys cmake libssh2-sys

# Licences and sources; the tool is not needed for anything else, so it is not asked for.
if command -v cargo-deny >/dev/null; then
  cargo deny --locked check bans licenses sources
else
  echo "  deny.toml was not checked: cargo install --locked cargo-deny" >&2
fi
