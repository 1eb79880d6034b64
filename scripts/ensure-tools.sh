#!/usr/bin/env bash
# Makes sure that what a target needs is here. Missing Debian packages are installed when this runs as root;
# everything else is named, with how to get it.
#
#   ensure-tools.sh [build|test|demo]      (default: build)
set -euo pipefail

profile=${1:-build}
rust=1.95
go=1.26

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
problems=()
packages=()

have() { command -v "$1" >/dev/null 2>&1; }

# at_least WANTED FOUND: compares two versions of the form MAJOR.MINOR...
at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

# package PROGRAM PACKAGE
package() { have "$1" || packages+=("$2"); }

check_rust() {
  local found
  if ! have cargo || ! have rustc; then
    problems+=("Rust is missing: $rust or newer is needed; get it from https://rustup.rs")
    return
  fi
  found=$(cd "$root" && rustc --version | awk '{ print $2 }')
  if ! at_least "$rust" "$found"; then
    problems+=("Rust $found is too old: $rust or newer is needed; run: rustup update stable")
  fi
  [[ $profile == test ]] || return 0
  have rustfmt || problems+=("rustfmt is missing; run: rustup component add rustfmt")
  have cargo-clippy || problems+=("clippy is missing; run: rustup component add clippy")
}

check_go() {
  local found
  if ! have go; then
    problems+=("Go is missing: $go or newer is needed; get it from https://go.dev/dl/")
    return
  fi
  # In a module, since Go fetches the release that the module asks for.
  found=$(cd "$root/tests/tools/kwok" && go env GOVERSION)
  if ! at_least "$go" "${found#go}"; then
    problems+=("Go ${found#go} is too old: $go or newer is needed; get it from https://go.dev/dl/")
  fi
  [[ $profile != test ]] || have gofmt || problems+=("gofmt is missing; it belongs to Go: put its bin directory on the PATH")
}

install_packages() {
  local list="${packages[*]}"
  if ! have apt-get; then
    problems+=("missing: install, by your system's package manager, what Debian calls: $list")
  elif [[ $(id -u) != 0 ]]; then
    problems+=("missing; run: sudo apt-get install --no-install-recommends $list")
  else
    echo "installing $list" >&2
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -q && apt-get install -qy --no-install-recommends "${packages[@]}"; } >&2; then
      problems+=("apt-get could not install: $list")
    fi
  fi
}

check_node() {
  local found
  have node || return 0
  found=$(node --version)
  if ! at_least 18 "${found#v}"; then
    problems+=("node ${found#v} is too old: 18 or newer is needed; get it from https://nodejs.org")
  fi
}

case $profile in
  build | test | demo) ;;
  *) echo "usage: ensure-tools.sh [build|test|demo]" >&2; exit 2 ;;
esac

package git git
package make make
if ! have cc; then packages+=(gcc libc6-dev); fi
if [[ $profile == test ]]; then
  package node nodejs
  package npm npm
  if ! have chromium && ! have chromium-browser; then packages+=(chromium); fi
fi
if ((${#packages[@]})); then install_packages; fi
check_rust
check_go
if [[ $profile == test ]]; then check_node; fi

if ((${#problems[@]})); then
  printf 'ensure-tools: %s\n' "${problems[@]}" >&2
  exit 1
fi
