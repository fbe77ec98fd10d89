#!/usr/bin/env bash
# Checks the files by which SaeUnbox is deployed: Kubernetes manifests against the schemas of their kinds (npm: kubernetes-models), the compose
# file by docker-compose, the scripts by bash. Installs what it needs on Debian 12. Safe to run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
command -v npm >/dev/null || missing+=(nodejs npm)
command -v docker-compose >/dev/null || missing+=(docker-compose)
if [ ${#missing[@]} -gt 0 ]; then
  echo "check: installing ${missing[*]}"
  as_root=(); [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

# Outside the sources, as a module finds its packages beside itself.
tools=artifacts/deploy-check
mkdir -p "$tools"
[ -d "$tools/node_modules/kubernetes-models" ] ||
  npm install --prefix "$tools" --no-fund --no-audit --silent kubernetes-models@4.5.1 @kubernetes-models/keda@0.4.2 yaml@2
cp deploy/kubernetes/check.mjs "$tools/"
node "$tools/check.mjs" deploy/kubernetes/*.yaml

RABBITMQ_PASSWORD=x POSTGRES_PASSWORD=x docker-compose --file deploy/compose/compose.yaml config --quiet
if docker-compose --file deploy/compose/compose.yaml config --quiet 2>/dev/null; then
  echo "check: the compose file takes no password for a password" >&2
  exit 1
fi
echo "compose file: good"

for script in deploy/*.sh tests/*.sh; do bash -n "$script"; done
echo "scripts: good"
