# The part of the demo about rollouts, read by demo.sh: a good commit becomes a canary and is promoted; a bad one is
# judged by its errors and undone as a whole, while Git is down.
# shellcheck shell=bash disable=SC2154  # demo.sh sets what is used here

# A Git server of its own, since it is stopped in the end.
"$cluster_program" git --root "$work/canary-git" >"$work/canary-git.url" 2>"$work/canary-git.log" &
canary_git=$!
helpers+=("$canary_git")
"$traffic_program" --kubeconfig "$KUBECONFIG" >"$work/traffic.url" 2>"$work/traffic.log" &
helpers+=("$!")

title "Install Gateway API's HTTPRoute; start Prometheus, a simulated gateway and simulated requests"
crds=$(cd "$work" && go mod download -json sigs.k8s.io/gateway-api@v1.6.1 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
run kubectl apply --server-side -f "$crds/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"
within 30 "HTTPRoutes are served" kubectl get httproutes -A
within 10 "requests are simulated" test -s "$work/traffic.url"
cat >"$work/prometheus.yaml" <<YAML
scrape_configs:
- job_name: simulated
  scrape_interval: 1s
  scrape_timeout: 1s
  static_configs: [{targets: ["$(sed 's#http://\(.*\)/metrics#\1#' "$work/traffic.url")"]}]
YAML
"$prometheus" --config.file="$work/prometheus.yaml" --storage.tsdb.path="$work/prometheus" \
  --web.listen-address="127.0.0.1:$prometheus_port" 2>"$work/prometheus.log" &
helpers+=("$!")
within 30 "Prometheus is ready" curl -fsS "http://127.0.0.1:$prometheus_port/-/ready"
within 10 "the second Git server answers" test -s "$work/canary-git.url"
say "No request is sent: the nodes are fake, so are the requests. 200 a second are divided as the route says, and"
say "Prometheus reads what the pods would have counted."

canary_url=$(cat "$work/canary-git.url")/env.git
curl -fsS -X PUT "$canary_url" >/dev/null
mkdir "$work/canary-env"
cp -r examples/canary "$work/canary-env/canary"
canary_git_() { git -C "$work/canary-env" -c user.name=demo -c user.email=demo@example.com "$@"; }
canary_git_ init -q -b main
canary_push() { canary_git_ add -A; canary_git_ commit -qm "$1"; canary_git_ push -q "$canary_url" main; }
canary_push "Describe the web server and how it is rolled out"

title "An application with a RolloutPolicy beside its Deployment"
run cat examples/canary/policy.yaml
sed "s#https://git.example/env.git#$canary_url#" examples/applications/canary.yaml >"$work/canary.yaml"
run kubectl apply -f "$work/canary.yaml"
run windlass wait canary -n shop --for=ready --timeout 120s || failed "canary became ready"

title "A good commit: the canary goes step by step, and is promoted"
sed -i 's/web:1/web:2/' "$work/canary-env/canary/web.yaml"
canary_push "Serve version 2"
run windlass refresh canary -n shop || failed "the refresh was carried out"
run windlass rollout get canary -n shop --watch --timeout 300s || failed "version 2 was promoted"
run kubectl get pods,services,httproutes -n canary

title "A bad commit: one answer in five is an error, and its settings are new too"
sed -i -e 's/web:2/web:3/' -e 's/greeting: hello/greeting: good day/' \
  -e 's/      labels: {app: web}/      labels: {app: web}\n      annotations: {simulated.windlass.dev\/error-ratio: "0.2"}/' \
  "$work/canary-env/canary/web.yaml"
canary_push "Serve version 3"
run git -C "$work/canary-env" show --no-color --unified=0 --format=%s
run windlass refresh canary -n shop || failed "the refresh was carried out"
is_rolling() { kubectl get application canary -n shop -o jsonpath='{.status.targets[0].phase}' | grep -q Scale; }
within 60 "version 3 became a canary" is_rolling
kill "$canary_git" && wait "$canary_git" 2>/dev/null || true
say "${bold}The Git server is stopped.${plain} What is needed to go back is in the cluster."
if run windlass rollout get canary -n shop --watch --timeout 300s; then failed "version 3 was undone"; fi
is_undone() {
  [[ $(kubectl get deployment web -n canary -o jsonpath='{.spec.template.spec.containers[0].image}') == *web:2 ]] &&
    [[ $(kubectl get configmap settings -n canary -o jsonpath='{.data.greeting}') == hello ]] &&
    ! kubectl get service web-candidate -n canary
}
within 120 "version 3 was undone, its settings too" is_undone
run windlass get canary -n shop || true
run kubectl get pods,services,httproutes -n canary
