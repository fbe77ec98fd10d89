#!/usr/bin/env bash
# Sets the machine up, builds, and serves the studio at http://localhost:5080 until Ctrl-C.
#   deploy/run.sh                            on unbox-mini, the model that ships: no GPU, no download
#   deploy/run.sh --model DIR --saes DIR     on real weights
#   PORT=8080 deploy/run.sh                  at another port
# Any other option (--device cuda, --dtype bf16, --atlas DIR, --clip DIR ...) goes to the program as it is. Safe to run again.
set -euo pipefail

say() { printf 'run: %s\n' "$*"; }
fail() { printf 'run: %s\n' "$*" >&2; exit 1; }

options=("$@")
for ((i = 0; i < ${#options[@]}; i++)); do
  case ${options[i]} in
    -h | --help) sed -nE '2,/^set/ s/^# ?//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    --model | --saes | --atlas | --clip)
      folder=${options[i + 1]:-}
      [ -n "$folder" ] || fail "after ${options[i]} a folder is expected"
      [ -d "$folder" ] || fail "${options[i]} $folder: there is no such folder"
      options[i + 1]=$(realpath "$folder") ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
deploy/setup.sh

say "building the studio and the command line"
for project in Web Cli; do dotnet build "src/SaeUnbox.$project" --configuration Release --verbosity quiet --nologo; done

port=${PORT:-5080} address=http://localhost:${PORT:-5080}
dotnet artifacts/bin/SaeUnbox.Web/release/SaeUnbox.Web.dll --urls "http://localhost:$port" ${options[@]+"${options[@]}"} &
server=$!
trap 'kill -TERM "$server" 2>/dev/null; wait "$server"' INT TERM
say "loading the model"
until answer=$(curl -s "$address/readyz") && [ "$answer" = ready ]; do
  kill -0 "$server" 2>/dev/null || { wait "$server" || true; fail "the studio stopped; what it said stands above"; }
  case $answer in loading | '') sleep 0.3 ;; *) kill -TERM "$server"; wait "$server" || true; fail "$answer" ;; esac
done
say "the studio is open at $address (Ctrl-C stops it)"
wait "$server"
