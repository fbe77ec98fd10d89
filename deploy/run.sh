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

port=${PORT:-5080}
{ [[ $port =~ ^[0-9]{1,5}$ ]] && ((10#$port >= 1 && 10#$port <= 65535)); } || fail "PORT=$port: a port from 1 to 65535 is expected"
taken() { (: <>"/dev/tcp/127.0.0.1/$port" || : <>"/dev/tcp/::1/$port") 2>/dev/null; }
# Asked before minutes of building; who takes the port meanwhile is told by the studio itself.
taken && fail "port $port is taken by another program; choose another: PORT=$((10#$port % 65535 + 1)) deploy/run.sh"

cd "$(dirname "${BASH_SOURCE[0]}")/.."
deploy/setup.sh

say "building the studio and the command line"
for project in Web Cli; do dotnet build "src/SaeUnbox.$project" --configuration Release --verbosity quiet --nologo; done

address=http://localhost:$port
dotnet artifacts/bin/SaeUnbox.Web/release/SaeUnbox.Web.dll --urls "http://localhost:$port" ${options[@]+"${options[@]}"} &
server=$!
trap 'kill -TERM "$server" 2>/dev/null; wait "$server"' INT TERM
say "loading the model"
until answer=$(curl -s --max-time 5 "$address/readyz") && [ "$answer" = ready ]; do
  kill -0 "$server" 2>/dev/null || { wait "$server" || true; fail "the studio stopped; what it said stands above"; }
  case $answer in loading | '') sleep 0.3 ;; *) kill -TERM "$server"; wait "$server" || true; fail "$answer" ;; esac
done
say "the studio is open at $address (Ctrl-C stops it)"
wait "$server"
