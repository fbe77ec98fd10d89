#!/usr/bin/env bash
# Makes the guide's pictures again, from the shipped model: guide-pictures.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tests/setup.sh
dotnet build tests/SaeUnbox.Web.Tests --configuration Release --verbosity quiet --nologo
SAEUNBOX_GUIDE_PICTURES=$PWD/wwwroot/guide \
  dotnet artifacts/bin/SaeUnbox.Web.Tests/release/SaeUnbox.Web.Tests.dll -noColor -class '*GuidePictureTests'
ls -l wwwroot/guide
