#!/usr/bin/env bash
# Builds, and paints one feature into one picture: artifacts/demo/{before,after,heatmap}.png.
#   deploy/demo.sh                            on the tiny model of tests/goldens
#   deploy/demo.sh --model DIR --saes DIR     on real weights: the strongest feature of down.2.1, painted on the left half
#   deploy/demo.sh [...] --prompt TEXT        with another prompt
# Any other option (--device cuda, --dtype bf16, --threads 2, --seed 7 ...) goes to saeunbox as it is. Safe to run again.
set -euo pipefail

say() { printf 'demo: %s\n' "$*"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

model='' saes='' prompt='' options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -nE '2,/^set/ s/^# ?//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    --model | --saes | --prompt)
      [ $# -ge 2 ] || fail "after $1 a value is expected"
      printf -v "${1#--}" %s "$2"
      shift 2 ;;
    *) options+=("$1"); shift ;;
  esac
done
for name in model saes; do
  [ -z "${!name}" ] || [ -d "${!name}" ] || fail "--$name ${!name}: there is no such folder"
  [ -z "${!name}" ] || printf -v "$name" %s "$(realpath "${!name}")"
done
[ -z "$model$saes" ] || { [ -n "$model" ] && [ -n "$saes" ]; } || fail "--model and --saes are given together"

cd "$(dirname "${BASH_SOURCE[0]}")/.."
deploy/sdk.sh

say "building the command line"
dotnet build src/SaeUnbox.Cli --configuration Release --verbosity quiet --nologo

demo=artifacts/demo
mkdir -p "$demo"
# Every command runs the same model.
saeunbox() { deploy/saeunbox "$@" --model "$model" --saes "$saes" ${options[@]+"${options[@]}"}; }
# The first value of a key after a line that holds a word, in JSON with a line a key.
json() { sed -nE "/\"$2\"/,\$ { s/^ *\"$3\": *\"?(.*[^\",])\"?,?\$/\1/p }" "$1" | sed -n 1p; }

if [ -z "$model" ]; then
  goldens=tests/goldens edits=tests/goldens/edits/turbo.json case=add_top_drawn
  model=$goldens/model saes=$goldens/saes mask=$goldens/edits/mask.png
  site=$(json $edits $case block) feature=$(json $edits $case feature) strength=$(json $edits $case strength)
  prompt=${prompt:-$(json $edits $case prompt)}
  say "the model is the tiny one of $goldens: its weights are random, so its pictures are patterns"
else
  prompt=${prompt:-A cinematic shot of a professor sloth wearing a tuxedo at a BBQ party}
  site=down.2.1 feature='' strength=5 mask=''
  say "the model is $model, the autoencoders are $saes"
fi

say "prompt: $prompt"
say "the picture before, and what is active in it"
saeunbox explore --prompt "$prompt" --out "$demo/explore" --json >"$demo/features.json"
cp "$demo/explore/image.png" "$demo/before.png"
[ -n "$feature" ] || feature=$(json "$demo/features.json" "$site" feature)
[ -n "$feature" ] || fail "$saes has no autoencoder for $site, or none of its features is active"
if [ -z "$mask" ]; then # the left half, as rows of cells
  rows=$(json "$demo/features.json" "$site" rows) columns=$(json "$demo/features.json" "$site" columns)
  row=$(for ((i = 0; i < columns; i++)); do printf '%s,' $((i < columns / 2)); done)
  mask=$demo/mask.json
  { printf '['; for ((i = 0; i < rows; i++)); do printf '%s[%s]' "${separator:-}" "${row%,}"; separator=,; done; printf ']\n'; } >"$mask"
fi
heatmap=$demo/explore/heatmaps/$site/$feature.png
[ -f "$heatmap" ] || fail "feature $feature of $site is not among the strongest of this picture; leave --prompt out"
cp "$heatmap" "$demo/heatmap.png"

say "painting feature $feature of $site, strength $strength, where $mask says"
saeunbox generate --prompt "$prompt" --edit "$site:$feature:$strength@$mask" --out "$demo/after.png" >/dev/null

say "done:
  before:  $demo/before.png
  after:   $demo/after.png   (its recipe is inside: deploy/saeunbox generate --recipe $demo/after.png ...)
  heatmap: $demo/heatmap.png (where the feature is active in the picture before)"
