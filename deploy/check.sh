#!/usr/bin/env bash
# Checks the files by which SaeUnbox is deployed: Kubernetes manifests against the schemas of their kinds (npm: kubernetes-models), the compose
# file by docker-compose, the scripts by bash, and what is sent to docker by publishing the page from it. Installs what it needs on Debian 12
# (the build needs the .NET SDK alone). Safe to run again.
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

cp deploy/compose/check.mjs "$tools/check-compose.mjs"
RABBITMQ_PASSWORD=x POSTGRES_PASSWORD=x docker-compose --file deploy/compose/compose.yaml config >"$tools/compose.yaml"
node "$tools/check-compose.mjs" "$tools/compose.yaml"
if docker-compose --file deploy/compose/compose.yaml config --quiet 2>/dev/null; then
  echo "check: the compose file takes no password for a password" >&2
  exit 1
fi
echo "compose file: good"

# What is started last in each image that can be asked for is started by no root: the last USER before its ENTRYPOINT.
awk '/^FROM/ { user = "" } /^USER/ { user = $2 } /^ENTRYPOINT/ { images++; if (user !~ /^[1-9]/) exit 1 } END { if (!images) exit 1 }' Dockerfile ||
  { echo "check: the Dockerfile starts something as root" >&2; exit 1; }

for script in deploy/*.sh tests/*.sh; do bash -n "$script"; done
echo "scripts: good"

# What docker is sent, by .dockerignore as it is written here: nothing, but the names with a "!", and of those nothing called as behind "**/".
if grep -qvE '^(#.*|\*|![A-Za-z0-9.-]+|\*\*/[A-Za-z0-9.-]+)?$' .dockerignore; then
  echo "check: .dockerignore has a line of another form than this check can read" >&2
  exit 1
fi
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mapfile -t sent < <(sed -n 's/^!//p' .dockerignore)
mapfile -t without < <(sed -n 's/^\*\*\//--exclude=/p' .dockerignore)
tar -c "${without[@]}" "${sent[@]}" | tar -x -C "$context"
(cd "$context" && dotnet publish src/SaeUnbox.Web --configuration Release --no-self-contained --output app --verbosity quiet --nologo)
while read -r file; do
  [ -s "$context/app/$file" ] || { echo "check: an image would lack $file" >&2; exit 1; }
done < <(find wwwroot -type f)
rm -r "$context/wwwroot"
if (cd "$context" && dotnet msbuild src/SaeUnbox.Web -t:RequireStaticFiles -verbosity:quiet -nologo) >/dev/null; then
  echo "check: the page builds without its static files" >&2
  exit 1
fi
echo "what docker is sent: good"
