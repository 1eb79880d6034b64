#!/usr/bin/env bash
# A development cluster in the foreground: a real control plane, fake nodes and a Git server.
# NODES says how many nodes (default 3). Everything is gone at Ctrl-C.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cluster=$(tests/cluster/build.sh cluster)
kwok=$(tests/cluster/build.sh kwok)

# field NAME: a string of the report, whose values hold no quotes.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$report"; }

echo "starting the cluster" >&2
"$cluster" up --nodes "${NODES:-3}" --kwok "$kwok" | {
  read -r report
  cat <<TEXT
The cluster is ready. In another terminal:

  export KUBECONFIG=$(field kubeconfig)
  $(field kubectl) get nodes

Git server: $(field git) (repositories in $(field gitRoot))
Stop it with Ctrl-C.
TEXT
  cat >/dev/null
}
