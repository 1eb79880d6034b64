#!/usr/bin/env bash
# Form and rules of the tree. Runs every check, then fails when one did.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

failed=()

# check NAME COMMAND...
check() {
  local name=$1
  shift
  echo "check: $name" >&2
  "$@" || failed+=("$name")
}

gofmt_is_clean() {
  local unformatted
  unformatted=$(gofmt -l tests) || return 1
  [[ -z $unformatted ]] || { printf 'not formatted, run make fmt: %s\n' "$unformatted" >&2; return 1; }
}

# With the flags of tests/cluster/build.sh, so that Go finds what that compiled instead of doing it all again.
# The modules under tests/tools hold no code of ours, only the versions of programs to build.
go_vet() {
  local module
  local -x CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false -mod=readonly"
  find tests -name go.mod -not -path 'tests/tools/*' -not -path '*/node_modules/*' | while read -r module; do
    (cd "$(dirname "$module")" && go vet ./...) || return 1
  done
}

shell_syntax() {
  local file result=0
  while read -r file; do
    bash -n "$file" || result=1
  done < <(scripts/shell-files.sh)
  return "$result"
}

check "cargo fmt" cargo fmt --all --check
check "cargo clippy" cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
check "dependencies" scripts/check-dependencies.sh
check "size of files" scripts/check-sizes.sh
check "generated definitions" scripts/crds.sh check
check "gofmt" gofmt_is_clean
check "go vet" go_vet
check "shell syntax" shell_syntax

if ((${#failed[@]})); then
  printf 'check: FAILED: %s\n' "${failed[@]}" >&2
  exit 1
fi
