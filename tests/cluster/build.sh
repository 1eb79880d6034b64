#!/usr/bin/env bash
# Builds the programs of the test cluster, each once for its sources, and
# prints their paths on standard output, one a line; progress goes to standard
# error. A program that is there already is only named.
#
#   build.sh [cluster|kwok|helm|prometheus|traffic|all]...        (default: cluster)
#
# They are kept in $WINDLASS_CACHE/bin (default: ~/.cache/windlass/bin).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$here/../tools
cache=${WINDLASS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/windlass}/bin
unused_days=14

kubernetes=v1.35.4
minor=${kubernetes#v1.}
stamps=""
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  stamps+=" -X $package.gitVersion=$kubernetes -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
done

say() { printf '%s\n' "$*" >&2; }
die() { say "build.sh: $*"; exit 1; }

check_toolchain() {
  command -v git >/dev/null || die "git is missing: install the package git of your system"
  command -v go >/dev/null ||
    die "Go is missing: 1.26 or newer is needed, from https://go.dev/dl/ (a C compiler is not needed)"
  local version
  version=$(cd "$here" && go env GOVERSION)
  version=${version#go}
  local major=${version%%.*} rest=${version#*.}
  local second=${rest%%[!0-9]*}
  if ((major == 1 && ${second:-0} < 26)); then
    die "Go $version is too old: 1.26 or newer is needed, from https://go.dev/dl/"
  fi
}

digest() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-16
}

# sources DIR: the files that make the program, tests left out.
sources() {
  find "$1" -type f \( -name '*.go' -o -name 'go.mod' -o -name 'go.sum' -o -path '*/config/*' \) \
    ! -name '*_test.go' | LC_ALL=C sort
}

# path_of TOOL DIR FLAGS: where the program built from these very sources belongs.
path_of() {
  local sum
  sum=$({
    (cd "$2" && go env GOVERSION GOOS GOARCH)
    printf '%s\n' "$3"
    sources "$2" | while read -r file; do cat "$file"; done
  } | digest)
  printf '%s/%s-%s\n' "$cache" "$1" "$sum"
}

# report_progress WORK: a line every few seconds, until it is killed. Go writes
# a line to the log for each module it downloads, then for each package it compiles.
report_progress() {
  local began=$SECONDS total
  while sleep 5; do
    total=$(cat "$1/total" 2>/dev/null || true)
    if [[ -z $total ]]; then
      say "  $((SECONDS - began)) s, $(grep -c downloading "$1/modules" || true) modules downloaded"
    else
      say "  $((SECONDS - began)) s, $(grep -c / "$1/log" || true) of at most $total packages compiled"
    fi
  done
}

# build TOOL DIR PACKAGE LDFLAGS COLD-TIME
build() {
  local tool=$1 directory=$2 package=$3 ldflags=$4 cold=$5
  local program lock=
  program=$(path_of "$tool" "$directory" "$ldflags")
  if [[ -x $program ]]; then
    touch "$program"
    printf '%s\n' "$program"
    return
  fi
  say "building $tool: $cold the first time, on 2 cores (Go keeps what it compiled); built once, then kept in $cache"
  mkdir -p "$cache"
  if command -v flock >/dev/null; then
    # Two builds side by side would take twice as long as one after the other.
    exec {lock}>"$cache/.lock-$tool"
    flock "$lock"
  fi
  if [[ -x $program ]]; then
    printf '%s\n' "$program"
    return
  fi
  find "$cache" -maxdepth 1 -name '.build-*' -mtime +1 -exec rm -rf {} +
  local work
  work=$(mktemp -d "$cache/.build-XXXXXX")
  (
    progress=
    # shellcheck disable=SC2064  # the directory of now, not of the end
    trap "[[ -z \$progress ]] || kill \$progress 2>/dev/null; rm -rf '$work'" EXIT
    cd "$directory"
    report_progress "$work" &
    progress=$!
    CGO_ENABLED=0 go list -deps "$package" 2>"$work/modules" >"$work/packages" ||
      { tail -n 40 "$work/modules" >&2; die "the modules of $tool could not be downloaded"; }
    wc -l <"$work/packages" | tr -d ' ' >"$work/total"
    CGO_ENABLED=0 go build -v -trimpath -buildvcs=false -ldflags "$ldflags" -o "$work/$tool" "$package" \
      >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; die "$tool could not be built"; }
    mv -f "$work/$tool" "$program"
  )
  if [[ -n ${lock:-} ]]; then
    exec {lock}>&-
  fi
  find "$cache" -maxdepth 1 -name "$tool-*" -type f -mtime "+$unused_days" -delete
  say "built $tool in $SECONDS s"
  printf '%s\n' "$program"
}

build_one() {
  SECONDS=0
  case $1 in
    cluster) build windlass-cluster "$here" . "-s -w$stamps" "4 to 10 minutes" ;;
    kwok) build kwok "$tools/kwok" sigs.k8s.io/kwok/cmd/kwok "-s -w" "about 100 s" ;;
    helm) build helm "$tools/helm" helm.sh/helm/v3/cmd/helm "-s -w" "about 70 s" ;;
    prometheus)
      build prometheus "$tools/prometheus" github.com/prometheus/prometheus/cmd/prometheus "-s -w" "about 5 minutes"
      ;;
    traffic) build traffic "$here/../traffic" . "-s -w" "about 2 minutes" ;;
    all) for tool in cluster kwok helm prometheus traffic; do build_one "$tool"; done ;;
    *) die "unknown program '$1': cluster, kwok, helm, prometheus, traffic or all" ;;
  esac
}

check_toolchain
for tool in "${@:-cluster}"; do
  build_one "$tool"
done
