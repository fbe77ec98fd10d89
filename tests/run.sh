#!/usr/bin/env bash
# Installs what the tests need, builds, and runs all of them.
#   tests/run.sh                        everything
#   tests/run.sh Core                   the test projects whose name holds this word
#   tests/run.sh Core -method '*Link*'   and what follows goes to the test programs (xunit.v3)
#   CONFIGURATION=Debug tests/run.sh    another build configuration than Release
#   SAEUNBOX_GOLDENS=DIR tests/run.sh   the golden tests on another folder of the same layout
# The last line reads "N passed, N failed"; the exit status is 0 only where none failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

word=${1:-}
[ $# -eq 0 ] || shift
configuration=${CONFIGURATION:-Release}
limit=${SAEUNBOX_TEST_TIMEOUT:-1800} # seconds a test program may take

tests/setup.sh

projects=()
for project in tests/*.Tests/*.csproj; do
  [[ $project == *"$word"* ]] && projects+=("$project")
done
[ ${#projects[@]} -gt 0 ] || { echo "no test project's name holds '$word'" >&2; exit 2; }

echo "build: $configuration"
if [ -z "$word" ]; then
  dotnet build SaeUnbox.sln --configuration "$configuration" --verbosity quiet --nologo
else
  for project in "${projects[@]}"; do
    dotnet build "$project" --configuration "$configuration" --verbosity quiet --nologo
  done
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The summary reads "Total: N, Errors: N, Failed: N, Skipped: N, Not Run: N".
count() { sed -nE "/Total: [0-9]+, Errors/ s/.*$1: ([0-9]+).*/\\1/p" "$log" | tail -n 1; }

all_passed=0 all_failed=0 all_skipped=0
start() { # start PROJECT [argument of the test program]...
  timeout "$limit" dotnet "artifacts/bin/$1/${configuration,,}/$1.dll" -noColor "${@:2}" >"$log" 2>&1
}
# On a busy machine a browser or a broker can miss a moment: up to three tests that failed are tried once more, alone, and named.
again() {
  local tests method
  mapfile -t tests < <(sed -nE 's/^ +([A-Za-z0-9_.]+)(\(.*\))? \[FAIL\]$/\1/p' "$log" | sort -u)
  [ "${#tests[@]}" -eq "$failed" ] && [ "$failed" -le 3 ] || return 0
  for method in "${tests[@]}"; do
    if start "$name" -method "$method"; then
      echo "passed at the second try: $method"
      passed=$((passed + 1)) failed=$((failed - 1))
    fi
  done
}
run() { # run PROJECT WHAT [argument of the test program]...
  local name=$1 what=$2 started=$SECONDS status=0
  shift 2
  start "$name" "$@" || status=$?

  total=$(count Total) errors=$(count Errors) failed=$(count Failed) skipped=$(count Skipped) not_run=$(count 'Not Run')
  failed=$((${failed:-0} + ${errors:-0})) skipped=${skipped:-0}
  passed=$((${total:-0} - failed - skipped - ${not_run:-0}))
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    failed=1 # it crashed, or ran out of time
    echo "exit status $status" >>"$log"
  fi
  [ "$failed" -eq 0 ] || cat "$log"
  if [[ $name =~ Web|Serving ]] && [ "$failed" -gt 0 ]; then
    again
  fi
  echo "$name$what: $passed passed, $failed failed, $skipped skipped, $((SECONDS - started)) s"
  all_passed=$((all_passed + passed)) all_failed=$((all_failed + failed)) all_skipped=$((all_skipped + skipped))
}
if [ -z "$word" ]; then
  if dotnet format SaeUnbox.sln --severity warn --verify-no-changes --no-restore --verbosity quiet; then
    echo "format: as .editorconfig says"
  else
    echo "format: other than .editorconfig says; run 'dotnet format SaeUnbox.sln --severity warn'"
    all_failed=$((all_failed + 1))
  fi
fi
for project in "${projects[@]}"; do
  run "$(basename "$project" .csproj)" "" "$@"
done
if [ -z "$word" ]; then
  tests/trial.sh --short || all_failed=$((all_failed + 1))
fi
# Nothing about sizes is built in: the golden tests pass on a second folder, too.
if [ -z "$word${SAEUNBOX_GOLDENS:-}" ]; then
  export SAEUNBOX_GOLDENS=$PWD/tests/goldens-other
  for name in Core Models Steering Lab; do
    run "SaeUnbox.$name.Tests" ", other sizes" -class '*Golden*' -class '*NoiseTests' -class '*.EncodingTests' -class '*.LoadingTests' \
      -class '*.SteeringTests' -class '*.WritingTests' -class '*.CollectionTests' -class '*.StatisticsTests' -class '*.TrainingTests' -class '*.VariantTrainingTests'
  done
  run SaeUnbox.Cli.Tests ", other sizes" -method '*Golden*'
fi

[ "$all_skipped" -eq 0 ] || echo "$all_skipped skipped"
echo "$all_passed passed, $all_failed failed"
[ "$all_failed" -eq 0 ]
