#!/usr/bin/env bash
# Windlass on kind (https://kind.sigs.k8s.io): builds the image, installs it and waits until a controller runs.
# Needs Docker, kind and kubectl. Where the development cluster of tests/cluster has fake nodes, kind has real
# ones, so that this shows that the image starts, is allowed what it needs and survives its sandbox.
#
#   e2e-kind/run.sh          make a cluster, install, check, delete the cluster
#   KEEP=1 e2e-kind/run.sh   leave the cluster for a look
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for tool in docker kind kubectl cargo; do
  command -v "$tool" >/dev/null || { echo "e2e-kind: $tool is missing" >&2; exit 2; }
done

image=windlass:e2e
namespace=windlass-system
scratch=$(mktemp -d)
export KUBECONFIG=$scratch/kubeconfig

finish() {
  if [[ ${KEEP:-} == 1 ]]; then
    echo "the cluster stays: export KUBECONFIG=$KUBECONFIG; kind delete cluster --name windlass" >&2
  else
    kind delete cluster --name windlass
    rm -rf "$scratch"
  fi
}
trap finish EXIT

docker build -t "$image" .
kind create cluster --config e2e-kind/kind.yaml --wait 3m
kind load docker-image "$image" --name windlass

cargo run --quiet --locked -- install --namespace "$namespace" --image "$image" |
  kubectl apply --server-side -f -
kubectl -n "$namespace" rollout status deployment/windlass --timeout 2m
kubectl apply --server-side -f e2e-kind/application.yaml
kubectl -n e2e wait application/guestbook --for=condition=Ready --timeout 5m
