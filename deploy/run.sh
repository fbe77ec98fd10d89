#!/usr/bin/env bash
# dotnet run --project src/SaeUnbox.Web -c Release, which serves the studio at http://localhost:5080 until Ctrl-C. Here the SDK, the port and
# the folders are looked at before anything is built.
#   deploy/run.sh                            on unbox-mini, the model that ships: no GPU, no download
#   deploy/run.sh --model DIR --saes DIR     on real weights
#   PORT=8080 deploy/run.sh                  at another port
# Any other option (--device cuda, --dtype bf16, --atlas DIR, --clip DIR ...) goes to the program as it is.
set -euo pipefail

fail() { printf 'run: %s\n' "$*" >&2; exit 1; }

options=("$@")
for ((i = 0; i < ${#options[@]}; i++)); do
  case ${options[i]} in
    -h | --help) sed -nE '2,/^set/ s/^# ?//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    --model | --saes | --atlas | --clip)
      folder=${options[i + 1]:-}
      [ -n "$folder" ] || fail "after ${options[i]} a folder is expected"
      [ -d "$folder" ] || fail "${options[i]} $folder: there is no such folder" ;;
  esac
done

port=${PORT:-5080}
{ [[ $port =~ ^[0-9]{1,5}$ ]] && ((10#$port >= 1 && 10#$port <= 65535)); } || fail "PORT=$port: a port from 1 to 65535 is expected"
taken() { (: <>"/dev/tcp/127.0.0.1/$port" || : <>"/dev/tcp/::1/$port") 2>/dev/null; }
! taken || fail "port $port is taken by another program; choose another: PORT=$((10#$port % 65535 + 1)) deploy/run.sh"

# From the caller's folder, to which the folders in the options belong.
here=$(dirname "${BASH_SOURCE[0]}")
"$here/sdk.sh"
exec dotnet run --project "$here/../src/SaeUnbox.Web" --configuration Release -- --urls "http://localhost:$port" ${options[@]+"${options[@]}"}
