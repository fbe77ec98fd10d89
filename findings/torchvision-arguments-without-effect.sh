#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): three documented arguments are taken and not used, without an error. One would expect what
# the documentation says of each, and what Python's torchvision does with it.
# functional.affine always takes the nearest pixel, whatever the interpolation, while rotate heeds it. Resize lets the longer edge grow beyond
# maxSize ("the maximum allowed for the longer edge"); it only compares it with the shorter one. AdjustGamma forgets its gain ("the constant
# multiplier"), which functional.adjust_gamma applies.
# Seen, for a row of a ramp turned by 15 degrees, for a picture 40 wide and 10 high, and for a grey of 0.25:
#   Nearest: rotate 0 1 2 3 4 5 6 7
#   Nearest: affine 0 1 2 3 4 5 6 7
#   Bilinear: rotate 0 0.96 1.92 2.89 3.85 4.82 5.79 6.75
#   Bilinear: affine 0 1 2 3 4 5 6 7
#   shorter edge 20, at most anything: 80 wide and 20 high
#   shorter edge 20, at most 60: 80 wide and 20 high
#   gain 1: functional 0.25, AdjustGamma 0.25
#   gain 2: functional 0.5, AdjustGamma 0.25
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="TorchSharp" Version="[0.107.0]" />
    <PackageReference Include="TorchVision" Version="[0.107.0]" />
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
using static TorchSharp.torchvision.transforms;
using var scope = NewDisposeScope();
string Show(Tensor row) => string.Join(' ', row.data<float>().ToArray().Select(value => FormattableString.Invariant($"{value:0.##}")));
var ramp = arange(8, float32).expand(1, 8, 8).contiguous();
foreach (var mode in new[] { InterpolationMode.Nearest, InterpolationMode.Bilinear })
{
    Console.WriteLine($"{mode}: rotate {Show(functional.rotate(ramp, 15, mode)[0, 4])}");
    Console.WriteLine($"{mode}: affine {Show(functional.affine(ramp, angle: -15, interpolation: mode)[0, 4])}");
}
foreach (var limit in new int?[] { null, 60 })
{
    var size = Resize(20, InterpolationMode.Bilinear, limit).call(zeros(1, 10, 40)).shape;
    Console.WriteLine($"shorter edge 20, at most {limit?.ToString() ?? "anything"}: {size[2]} wide and {size[1]} high");
}
var grey = full([3, 1, 1], .25);
foreach (var gain in new[] { 1, 2 })
    Console.WriteLine($"gain {gain}: functional {Show(functional.adjust_gamma(grey, 1, gain)[0, 0])}, "
        + $"AdjustGamma {Show(AdjustGamma(1, gain).call(grey)[0, 0])}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
Nearest: rotate 0 1 2 3 4 5 6 7
Nearest: affine 0 1 2 3 4 5 6 7
Bilinear: rotate 0 0.96 1.92 2.89 3.85 4.82 5.79 6.75
Bilinear: affine 0 1 2 3 4 5 6 7
shorter edge 20, at most anything: 80 wide and 20 high
shorter edge 20, at most 60: 80 wide and 20 high
gain 1: functional 0.25, AdjustGamma 0.25
gain 2: functional 0.5, AdjustGamma 0.25
X
