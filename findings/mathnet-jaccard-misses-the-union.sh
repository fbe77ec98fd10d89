#!/usr/bin/env bash
# MathNet.Numerics 5.0.0: Distance.Jaccard counts as the union of two sets only the places where both have a member. One would expect all
# places where either has one, since it is documented as 1 minus the Jaccard index, which is the intersection's size by the union's, and as
# SciPy's jaccard gives. So with zeros and ones the distance is 0 for any two sets that share a single member, and NaN for two that share
# none, whose distance is 1. It is a usual measure of how alike two sets of active features are.
# Seen, by the formula and by Distance.Jaccard:
#   1100 and 1100: formula 0.00, got 0.00
#   1110 and 0111: formula 0.50, got 0.00
#   11100 and 00111: formula 0.80, got 0.00
#   1100 and 0011: formula 1.00, got NaN
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="MathNet.Numerics" Version="[5.0.0]" />
  </ItemGroup>
</Project>
X
cat >Program.cs <<'X'
using MathNet.Numerics;
foreach (var (first, second) in new (double[], double[])[]
{
    ([1, 1, 0, 0], [1, 1, 0, 0]),
    ([1, 1, 1, 0], [0, 1, 1, 1]),
    ([1, 1, 1, 0, 0], [0, 0, 1, 1, 1]),
    ([1, 1, 0, 0], [0, 0, 1, 1]),
})
{
    var both = first.Zip(second).Count(pair => pair.First != 0 && pair.Second != 0);
    var either = first.Zip(second).Count(pair => pair.First != 0 || pair.Second != 0);
    Console.WriteLine($"{string.Concat(first)} and {string.Concat(second)}: "
        + FormattableString.Invariant($"formula {1 - (double)both / either:f2}, got {Distance.Jaccard(first, second):f2}"));
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
1100 and 1100: formula 0.00, got 0.00
1110 and 0111: formula 0.50, got 0.00
11100 and 00111: formula 0.80, got 0.00
1100 and 0011: formula 1.00, got NaN
X
