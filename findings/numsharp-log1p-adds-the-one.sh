#!/usr/bin/env bash
# NumSharp 0.70.0: np.log1p(x) is the logarithm of 1 + x and np.expm1(x) the exponential less 1, term by term. One would expect the digits that
# these two exist to keep where x is small, as from NumPy, whose interface this is and whose documentation promises them for an x too small
# to change 1, and as the series gives. But adding 1 rounds x to steps of 2e-16, in single precision of 1e-7, before the logarithm is
# taken. So log-likelihoods of rare features and softplus of very negative numbers lose their digits, and then are 0.
# Seen, as the share of the right result, x (1 - x / 2) and x (1 + x / 2) for so small an x:
#   double 1e-5: log1p 1.0000, expm1 1.0000
#   double 1e-15: log1p 1.1102, expm1 1.1102
#   double 1e-17: log1p 0.0000, expm1 0.0000
#   float 1e-5: log1p 1.0014, expm1 1.0014
#   float 1e-7: log1p 1.1921, expm1 1.1921
#   float 1e-8: log1p 0.0000, expm1 0.0000
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <PropertyGroup><NoWarn>NDW012</NoWarn></PropertyGroup>
  <ItemGroup><PackageReference Include="NumSharp" Version="[0.70.0]" /></ItemGroup>
</Project>
X
cat >Program.cs <<'X'
using NumSharp;
void Show(string name, double x, NDArray logarithm, NDArray exponential)
{
    double Share(NDArray result, double right) => (double)result.astype(np.float64)[0] / right;
    var shares = FormattableString.Invariant($"log1p {Share(logarithm, x * (1 - x / 2)):f4}, expm1 {Share(exponential, x * (1 + x / 2)):f4}");
    Console.WriteLine($"{name}: {shares}");
}
foreach (var (name, x) in new[] { ("1e-5", 1e-5), ("1e-15", 1e-15), ("1e-17", 1e-17) })
    Show($"double {name}", x, np.log1p(np.array([x])), np.expm1(np.array([x])));
foreach (var (name, x) in new[] { ("1e-5", 1e-5f), ("1e-7", 1e-7f), ("1e-8", 1e-8f) })
    Show($"float {name}", x, np.log1p(np.array([x])), np.expm1(np.array([x])));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
double 1e-5: log1p 1.0000, expm1 1.0000
double 1e-15: log1p 1.1102, expm1 1.1102
double 1e-17: log1p 0.0000, expm1 0.0000
float 1e-5: log1p 1.0014, expm1 1.0014
float 1e-7: log1p 1.1921, expm1 1.1921
float 1e-8: log1p 0.0000, expm1 0.0000
X
