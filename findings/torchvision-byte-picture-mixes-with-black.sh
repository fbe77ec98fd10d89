#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): adjust_saturation and adjust_contrast darken a picture of bytes, and at a factor of 0 make it
# black. One would expect grey, as the documentation of both says for 0, as Python's torchvision gives for its uint8 pictures, and as the
# same calls give for the picture as floats. The code mixes the picture with its grey, and rgb_to_grayscale gives that grey as floats from 0
# to 1, without turning them back to bytes. So both act nearly as adjust_brightness does. AdjustSaturation, AdjustContrast and ColorJitter
# go the same way, and pictures read from a file are bytes.
# Seen, for red 200, green 100 and blue 50, whose grey is 0.2989 x 200 + 0.587 x 100 + 0.114 x 50 = 124.18:
#   saturation 0: floats 124 124 124, bytes 0 0 0
#   contrast 0: floats 124 124 124, bytes 0 0 0
#   brightness 0: floats 0 0 0, bytes 0 0 0
#   saturation 0.5: floats 162 112 87, bytes 100 50 25
#   contrast 0.5: floats 162 112 87, bytes 100 50 25
#   brightness 0.5: floats 100 50 25, bytes 100 50 25
#   saturation 1.5: floats 238 88 13, bytes 255 149 74
#   contrast 1.5: floats 238 88 13, bytes 255 149 74
#   brightness 1.5: floats 255 150 75, bytes 255 150 75
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
using static TorchSharp.torchvision.transforms.functional;
using var scope = NewDisposeScope();
var bytes = tensor(new byte[] { 200, 100, 50 }).reshape(3, 1, 1).expand(3, 2, 2).contiguous();
var floats = bytes.to(float32) / 255f;
string Show(Tensor picture)
{
    var scaled = picture.dtype == ScalarType.Byte ? picture.to(float32) : (picture * 255f).round();
    return string.Join(' ', scaled.reshape(3, 4).mean([1]).data<float>().ToArray());
}
foreach (var factor in new[] { 0, .5, 1.5 })
{
    Console.WriteLine(FormattableString.Invariant($"saturation {factor}: floats {Show(adjust_saturation(floats, factor))}, ")
        + $"bytes {Show(adjust_saturation(bytes, factor))}");
    Console.WriteLine(FormattableString.Invariant($"contrast {factor}: floats {Show(adjust_contrast(floats, factor))}, ")
        + $"bytes {Show(adjust_contrast(bytes, factor))}");
    Console.WriteLine(FormattableString.Invariant($"brightness {factor}: floats {Show(adjust_brightness(floats, factor))}, ")
        + $"bytes {Show(adjust_brightness(bytes, factor))}");
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
saturation 0: floats 124 124 124, bytes 0 0 0
contrast 0: floats 124 124 124, bytes 0 0 0
brightness 0: floats 0 0 0, bytes 0 0 0
saturation 0.5: floats 162 112 87, bytes 100 50 25
contrast 0.5: floats 162 112 87, bytes 100 50 25
brightness 0.5: floats 100 50 25, bytes 100 50 25
saturation 1.5: floats 238 88 13, bytes 255 149 74
contrast 1.5: floats 238 88 13, bytes 255 149 74
brightness 1.5: floats 255 150 75, bytes 255 150 75
X
