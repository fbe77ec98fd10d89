#!/usr/bin/env bash
# Times the page in a browser on this machine: cold start, page weight, stroke to frame, frames a second, four canvases at once.
#   tests/bench-page.sh [FILE]   also appends the lines to FILE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests/setup.sh >&2
dotnet build tests/SaeUnbox.Web.Tests --configuration Release --verbosity quiet --nologo >&2
file=$(realpath -m "${1:-$(mktemp)}")
SAEUNBOX_BENCH=$file dotnet artifacts/bin/SaeUnbox.Web.Tests/release/SaeUnbox.Web.Tests.dll -noColor -explicit only -class '*PageBenchmark' >&2
cat "$file"
