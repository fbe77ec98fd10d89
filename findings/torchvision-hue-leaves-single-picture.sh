#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): transforms.functional.adjust_hue does nothing to a single picture [3, H, W], and so do
# transforms.AdjustHue and the hue of transforms.ColorJitter. One would expect any number of leading dimensions, none included, as Python's
# torchvision documents for adjust_hue and TorchVision itself for ColorJitter. But the code returns every tensor of fewer than four
# dimensions as it is, without an error, and the documentation does not say so. The other adjustments work on a single picture.
# A third of a turn makes red green. Seen, as red, green and blue:
#   single picture: hue 1 0 0, AdjustHue 1 0 0, ColorJitter 1 0 0, brightness 0.5 0 0
#   batch of one: hue 0 1 0, AdjustHue 0 1 0, ColorJitter 0 1 0, brightness 0.5 0 0
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
var red = tensor(new[] { 1f, 0, 0 }).reshape(3, 1, 1).expand(3, 2, 2).contiguous();
string Show(Tensor picture)
{
    var values = picture.reshape(3, 4)[TensorIndex.Colon, 0].contiguous().data<float>().ToArray();
    return string.Join(' ', values.Select(value => FormattableString.Invariant($"{Math.Abs(value):0.###}")));
}
foreach (var (name, picture) in new[] { ("single picture", red), ("batch of one", red.unsqueeze(0)) })
    Console.WriteLine($"{name}: hue {Show(functional.adjust_hue(picture, 1 / 3.0))}, AdjustHue {Show(AdjustHue(1 / 3.0).call(picture))}, "
        + $"ColorJitter {Show(ColorJitter((1, 1), (1, 1), (1, 1), (1 / 3f, 1 / 3f)).call(picture))}, "
        + $"brightness {Show(functional.adjust_brightness(picture, .5))}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
single picture: hue 1 0 0, AdjustHue 1 0 0, ColorJitter 1 0 0, brightness 0.5 0 0
batch of one: hue 0 1 0, AdjustHue 0 1 0, ColorJitter 0 1 0, brightness 0.5 0 0
X
