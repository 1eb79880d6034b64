#!/usr/bin/env bash
# Checks the format of, vets and tests the modules of this directory. With the flags of
# build.sh, so that Go finds what that compiled instead of doing it all again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false -mod=readonly"
unformatted=$(gofmt -l .)
if [[ -n $unformatted ]]; then
  printf 'gofmt would change:\n%s\n' "$unformatted" >&2
  exit 1
fi
go vet ./...
go test -count=1 -vet=off ./...
