#!/usr/bin/env bash
# A longer run of the fuzz tests than tests/run.sh makes: fuzz.sh [ROUNDS] [SEED]. Every round damages a good file and loads it.
# Then a sparse file of more than 2 GiB is read and converted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export SAEUNBOX_FUZZ_ROUNDS="${1:-100000}"
export SAEUNBOX_FUZZ_SEED="${2:-$RANDOM}"
echo "$SAEUNBOX_FUZZ_ROUNDS rounds for each kind of file from seed $SAEUNBOX_FUZZ_SEED"

dotnet build tests/SaeUnbox.Checkpoints.Tests -v quiet
artifacts/bin/SaeUnbox.Checkpoints.Tests/debug/SaeUnbox.Checkpoints.Tests -class SaeUnbox.Checkpoints.Tests.FuzzTests
artifacts/bin/SaeUnbox.Checkpoints.Tests/debug/SaeUnbox.Checkpoints.Tests -explicit only -class SaeUnbox.Checkpoints.Tests.TensorMemoryTests
