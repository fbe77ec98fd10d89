#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): transforms.RandomResizedCrop takes its scale as a share of each side and ignores its ratio.
# One would expect shares of the area and an aspect ratio between the two bounds, as its own documentation says ("random area of the crop",
# "random aspect ratio of the crop"), as Python's torchvision has it and as the same default bounds of 0.08 to 1 and 3/4 to 4/3 suggest. But
# the code multiplies height and width by the scale and never reads the ratio. So the smallest crop by default is 0.64 % of a picture instead
# of 8 %, and half of all crops hold less than 30 % of it instead of 54 %: a training sees far smaller pieces, none of them stretched.
# Each pixel here holds its own place, so that the crop's size can be read off. Seen, for a picture of 100 x 100:
#   scale 0.25, ratio 1: expected 50 wide and 50 high, got 25 and 25
#   scale 0.64, ratio 1: expected 80 wide and 80 high, got 64 and 64
#   scale 0.25, ratio 4: expected 100 wide and 25 high, got 25 and 25
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
const int Side = 100;
var places = arange(Side * Side, float32).reshape(1, Side, Side);
foreach (var (share, ratio) in new[] { (.25, 1.0), (.64, 1), (.25, 4) })
{
    var crop = RandomResizedCrop(Side, Side, share, share, ratio, ratio).call(places).data<float>().ToArray();
    var rows = crop.Select(place => (int)place / Side).Distinct().Count();
    var columns = crop.Select(place => (int)place % Side).Distinct().Count();
    var (wide, high) = (Math.Sqrt(share * ratio) * Side, Math.Sqrt(share / ratio) * Side);
    Console.WriteLine(FormattableString.Invariant($"scale {share}, ratio {ratio}: expected {wide:f0} wide and {high:f0} high, ")
        + $"got {columns} and {rows}");
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
scale 0.25, ratio 1: expected 50 wide and 50 high, got 25 and 25
scale 0.64, ratio 1: expected 80 wide and 80 high, got 64 and 64
scale 0.25, ratio 4: expected 100 wide and 25 high, got 25 and 25
X
