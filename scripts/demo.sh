#!/usr/bin/env bash
# See Windlass work on a real control plane, without Docker: a first sync, a second commit live, a manual
# change healed, a good canary promoted, a bad one judged and undone. Then it stays up for your own commits until Ctrl-C; DEMO=tour ends after the tour, with
# exit code 0 only if every step happened.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bold=""; dim=""; plain=""
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m'; dim=$'\e[2m'; plain=$'\e[0m'; fi
step=0
title() { step=$((step + 1)); printf '\n%s%d. %s%s\n' "$bold" "$step" "$1" "$plain"; }
say() { printf '   %s\n' "$*"; }
# run COMMAND...: shows the command as a user would type it, then its real output.
run() { printf '   %s$ %s%s\n' "$dim" "${*##*/bin/}" "$plain"; "$@" 2>&1 | sed 's/^/   /'; }
failed() { printf '\n%sdemo: this step did not happen: %s%s\n' "$bold" "$1" "$plain" >&2; show_log; exit 1; }
show_log() { [[ ! -s $work/controller.log ]] || { echo "the controller's last words:" >&2; tail -n 15 "$work/controller.log" >&2; }; }

# within SECONDS WHAT COMMAND...: waits until the command succeeds.
within() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || failed "$what"
    sleep 0.05
  done
}
milliseconds() { echo $((($(date +%s%N) - $1) / 1000000)); }

work=$(mktemp -d "${TMPDIR:-/tmp}/windlass-demo.XXXXXX")
controller=""
cluster=""
helpers=()
# Ends what was started, the controller first so that it gives its Lease up.
end() {
  trap - EXIT INT TERM
  [[ -z $controller ]] || { kill "$controller" 2>/dev/null; wait "$controller" 2>/dev/null; } || true
  for helper in "${helpers[@]}"; do kill "$helper" 2>/dev/null && wait "$helper" 2>/dev/null; done || true
  [[ -z $cluster ]] || { kill "$cluster" 2>/dev/null; wait "$cluster" 2>/dev/null; } || true
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

title "Build"
say "Windlass, a real Kubernetes control plane and fake nodes; the first time takes 15 to 20 minutes on 2 cores."
cargo build --locked
cluster_program=$(tests/cluster/build.sh cluster)
kwok=$(tests/cluster/build.sh kwok)
prometheus=$(tests/cluster/build.sh prometheus)
traffic_program=$(tests/cluster/build.sh traffic)
mkdir "$work/bin"
cp "${CARGO_TARGET_DIR:-target}/debug/windlass" "$work/bin/windlass"
export PATH="$work/bin:$PATH"

title "Start a control plane: etcd, kube-apiserver, controller-manager, scheduler, 3 fake nodes, a Git server"
"$cluster_program" up --state "$work/cluster" --nodes 3 --kwok "$kwok" >"$work/cluster.json" 2>"$work/cluster.log" &
cluster=$!
started=$SECONDS
until [[ -s $work/cluster.json ]]; do
  kill -0 "$cluster" 2>/dev/null || { cat "$work/cluster.log" >&2; failed "the control plane did not start"; }
  ((SECONDS < started + 120)) || failed "the control plane was not ready in two minutes"
  sleep 0.1
done
# field NAME: a string of the cluster's report, whose values hold no quotes.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/cluster.json"; }
export KUBECONFIG=$(field kubeconfig)
ln -s "$(field kubectl)" "$work/bin/kubectl"
git_url=$(field git)/env.git
run kubectl get nodes

title "Fill an environment repository from examples/shop"
curl -fsS -X PUT "$git_url" >/dev/null
git_() { git -C "$work/env" -c user.name=demo -c user.email=demo@example.com "$@"; }
cp -r examples/shop "$work/env"
git_ init -q -b main
git_ add -A
git_ commit -qm "Describe the shop"
git_ remote add origin "$git_url"
git_ push -q origin main
run git -C "$work/env" log --oneline

title "Install Windlass's resource and start the controller"
windlass crds | kubectl apply --server-side -f - | sed 's/^/   /'
kubectl create namespace windlass-system >/dev/null
kubectl create namespace shop >/dev/null
within 30 "Applications are served" kubectl get applications.windlass.dev -A
# A free port for Prometheus: the controller is told where it will be.
for prometheus_port in $(shuf -i 20000-32000 -n 20); do
  (exec 3<>"/dev/tcp/127.0.0.1/$prometheus_port") 2>/dev/null || break
done
windlass controller --namespace windlass-system --prometheus-address "http://127.0.0.1:$prometheus_port" --cache-dir "$work/cache" \
  --web-address "127.0.0.1:${WEB_PORT:-0}" --operations-address 127.0.0.1:0 2>"$work/controller.log" &
controller=$!
within 30 "the controller leads" grep -q leading "$work/controller.log"
page=$(sed -n 's/.*serving the status page on \(http[^ ]*\).*/\1/p' "$work/controller.log" | head -n 1)
say "Status page: ${bold}$page${plain}"

title "Apply an Application: the commit becomes live objects"
sed "s#https://git.example/env.git#$git_url#" examples/applications/shop-prod.yaml >"$work/shop-prod.yaml"
run cat "$work/shop-prod.yaml"
app=$(sed -n 's/^ *name: \(shop[^ ]*\).*/\1/p' "$work/shop-prod.yaml" | head -n 1)
run kubectl apply -f "$work/shop-prod.yaml"
ns=$(kubectl get applications.windlass.dev -A --no-headers | awk 'NR == 1 { print $1 }')
run windlass wait "$app" -n "$ns" --for=ready --timeout 120s || failed "$app became ready"
run windlass get "$app" -n "$ns"
live_ns=$(kubectl get deployments -A -l windlass.dev/application --no-headers | awk 'NR == 1 { print $1 }')
deployment=$(kubectl get deployments -n "$live_ns" -l windlass.dev/application --no-headers | awk 'NR == 1 { print $1 }')
[[ -n $deployment ]] || failed "the Deployment of the shop is live"
run kubectl get deployments,services,configmaps,serviceaccounts -n "$live_ns" -l windlass.dev/application

title "A second commit goes live"
before=$(kubectl get deployment "$deployment" -n "$live_ns" -o jsonpath='{.spec.replicas}')
after=$((before + 1))
sed -i "s/^replicas: .*/replicas: $after/" "$work/env/values/prod.yaml"
run git -C "$work/env" diff --unified=0 --no-color -- values
git_ commit -qam "Serve from $after pods"
git_ push -q origin main
at=$(date +%s%N)
run windlass refresh "$app" -n "$ns" || failed "the refresh was carried out"
replicas_are() { [[ $(kubectl get deployment "$deployment" -n "$live_ns" -o jsonpath='{.spec.replicas}') == "$1" ]]; }
within 60 "the second commit is live" replicas_are "$after"
say "live $(milliseconds "$at") ms after the refresh was asked for"
run windlass wait "$app" -n "$ns" --for=ready --timeout 120s || failed "$app became ready again"
run kubectl get deployment "$deployment" -n "$live_ns"

title "A change by hand is healed"
run kubectl scale deployment "$deployment" -n "$live_ns" --replicas=9
at=$(date +%s%N)
within 60 "the scaled Deployment is healed" replicas_are "$after"
say "back at $after replicas $(milliseconds "$at") ms after kubectl returned (looking takes about 100 ms itself)"
run kubectl delete service "$(kubectl get services -n "$live_ns" -l windlass.dev/application --no-headers | awk 'NR == 1 { print $1 }')" -n "$live_ns"
service_is_back() { kubectl get services -n "$live_ns" -l windlass.dev/application --no-headers | grep -q .; }
within 60 "the deleted Service is back" service_is_back
healed_is_told() { kubectl get events -n "$ns" -o jsonpath='{.items[*].reason}' | grep -q Healed; }
within 30 "an Event tells of the healing" healed_is_told
run kubectl get events -n "$ns" --field-selector "involvedObject.kind=Application" \
  -o custom-columns=REASON:.reason,MESSAGE:.message

# shellcheck source=scripts/demo-rollout.sh
source scripts/demo-rollout.sh

[[ $(curl -fsS -o /dev/null -w '%{http_code}' "$page") == 200 ]] || failed "the status page answers"
say ""
say "${bold}Every step happened.${plain}"
if [[ ${DEMO:-} == tour ]]; then exit 0; fi

cat <<TEXT

Now push a commit yourself. In another terminal:

  export KUBECONFIG=$KUBECONFIG PATH=$work/bin:\$PATH
  git clone $git_url /tmp/env && cd /tmp/env
  sed -i 's/^replicas: .*/replicas: 5/' values/prod.yaml
  git commit -qam 'More pods' && git push
  windlass refresh $app -n $ns && kubectl get deployment $deployment -n $live_ns -w

Status page: $bold$page$plain
Everything ends, and nothing is left, at Ctrl-C.
TEXT
wait "$cluster"
