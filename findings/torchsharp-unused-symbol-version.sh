#!/usr/bin/env bash
# TorchSharp 0.107.0, Linux: libLibTorchSharp.so needs the symbol version GLIBCXX_3.4.32 (GCC 13), so the loader of Debian 12 and
# Ubuntu 22.04 refuses it. One would expect that the library calls something of that version; but no relocation uses its one symbol.
# Seen: "GLIBCXX_3.4.32 is needed; 1 symbol has it; 0 of N relocations use it".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >get.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>net10.0</TargetFramework><RestorePackagesPath>packages</RestorePackagesPath></PropertyGroup>
  <ItemGroup><PackageReference Include="TorchSharp" Version="[0.107.0]" /></ItemGroup>
</Project>
X
dotnet restore --verbosity quiet
library=$(find packages/torchsharp/0.107.0/runtimes/linux-x64 -name libLibTorchSharp.so)
readelf --version-info "$library" | grep -q 'Name: GLIBCXX_3.4.32'
symbols=$(readelf --dyn-syms --wide "$library" | grep 'GLIBCXX_3.4.32' | sed -E 's/.* ([^ @]+)@.*/\1/' | sort -u)
count=$(wc -l <<<"$symbols")
relocations=$(readelf --relocs --wide "$library" | grep -c 'R_X86_64')
used=$(readelf --relocs --wide "$library" | grep -cF "$symbols@GLIBCXX_3.4.32" || true)
# Of another version the same search finds uses.
readelf --relocs --wide "$library" | grep -q '@GLIBCXX_3.4.21'
echo "GLIBCXX_3.4.32 is needed; $count symbol has it; $used of $relocations relocations use it"
[ "$count" -eq 1 ] && [ "$used" -eq 0 ] && [ "$relocations" -gt 1000 ]
