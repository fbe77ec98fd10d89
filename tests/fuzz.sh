#!/usr/bin/env bash
# A longer run of the fuzz tests than tests/run.sh makes: fuzz.sh [ROUNDS] [SEED]. Every round damages a good file and loads it.
# Then a sparse file of more than 2 GiB is read and converted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export SAEUNBOX_FUZZ_ROUNDS="${1:-100000}"
export SAEUNBOX_FUZZ_SEED="${2:-$RANDOM}"
echo "$SAEUNBOX_FUZZ_ROUNDS rounds for each kind of file from seed $SAEUNBOX_FUZZ_SEED"

dotnet build tests/SaeUnbox.Models.Tests -v quiet
artifacts/bin/SaeUnbox.Models.Tests/debug/SaeUnbox.Models.Tests -class SaeUnbox.Models.Tests.FuzzTests
artifacts/bin/SaeUnbox.Models.Tests/debug/SaeUnbox.Models.Tests -explicit only -class SaeUnbox.Models.Tests.TensorMemoryTests
