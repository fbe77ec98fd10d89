#!/usr/bin/env bash
# Pictures of every page, of errors and of the page at work, in the sizes of a desk, a tablet and a phone, dark and light: screenshots.sh [DIR]  (default artifacts/screenshots)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(realpath -m "${1:-artifacts/screenshots}")
tests/setup.sh
mkdir -p "$folder"
dotnet build tests/SaeUnbox.Web.Tests --configuration Release --verbosity quiet --nologo
SAEUNBOX_SCREENSHOTS=$folder dotnet artifacts/bin/SaeUnbox.Web.Tests/release/SaeUnbox.Web.Tests.dll -noColor -class '*ScreenshotTests'
ls "$folder"
