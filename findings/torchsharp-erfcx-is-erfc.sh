#!/usr/bin/env bash
# TorchSharp 0.107.0: special.erfcx gives erfc. One would expect the scaled complementary error function, exp(x^2) erfc(x), as its own
# documentation names it and as in PyTorch; but both the method and the native function behind it call erfc. The scaled one is there for the
# tails of a normal distribution, where erfc itself is 0: a log-probability that is built on it becomes minus infinity from about x = 27 on.
# For large x erfcx is nearly 1 / (x sqrt(pi)). Seen, beside the formula, which is still exact in doubles at 1 and 5, and that limit at 30:
#   1: expected 0.428, erfcx 0.157, erfc 0.157
#   5: expected 0.111, erfcx 1.54e-12, erfc 1.54e-12
#   30: expected 0.0188, erfcx 0, erfc 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="TorchSharp" Version="[0.107.0]" />
    <PackageReference Include="libtorch-cpu-linux-x64" Version="[2.10.0]" />
  </ItemGroup>
  <!-- Debian 12 lacks a symbol version that the library names and does not use: the copy in the output folder gets it marked as weak. -->
  <Target Name="Weak" AfterTargets="Build">
    <Exec Command="python3 -c &quot;p='$(OutDir)runtimes/linux-x64/native/libLibTorchSharp.so';b=bytearray(open(p,'rb').read());i=b.find(bytes.fromhex('42f8970200001200'));b[i+4]|=2 if i&gt;0 else 0;open(p,'wb').write(b)&quot;" />
  </Target>
</Project>
X
cat >Program.cs <<'X'
using TorchSharp;
using static TorchSharp.torch;
using var scope = NewDisposeScope();
foreach (var x in new[] { 1.0, 5, 30 })
{
    var value = tensor(x, float64);
    var erfc = special.erfc(value).item<double>();
    var expected = x < 10 ? Math.Exp(x * x) * erfc : 1 / (x * Math.Sqrt(Math.PI));
    var given = special.erfcx(value).item<double>();
    Console.WriteLine(FormattableString.Invariant($"{x}: expected {expected:g3}, erfcx {given:g3}, erfc {erfc:g3}"));
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
1: expected 0.428, erfcx 0.157, erfc 0.157
5: expected 0.111, erfcx 1.54e-12, erfc 1.54e-12
30: expected 0.0188, erfcx 0, erfc 0
X
