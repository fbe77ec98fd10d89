#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): a picture with transparency comes back from a PNG file as another. One would expect the same
# four planes, red, green, blue and alpha, as from Python's torchvision: PNG loses nothing and stores colours as they are, and RGB_ALPHA is
# documented here as "RGB with transparency". Three things meet. The writer takes alpha from the blue plane. The reader puts alpha first.
# And it hands on SkiaSharp's decoded pixels, whose colours are multiplied by alpha, so that a transparent place loses its colour.
# SkiaSharp, which both go through, writes and reads such a pixel unchanged when asked for straight alpha.
# Seen, for one pixel:
#   red, green, blue and alpha: 200 100 50 128
#   written and read by SkiaSharp: 200 100 50 128
#   written by TorchVision, read by SkiaSharp: 200 100 50 50
#   written by SkiaSharp, read by TorchVision: 128 100 50 25
#   written and read by TorchVision: 50 39 20 10
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
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;
using var scope = NewDisposeScope();
byte[] pixel = [200, 100, 50, 128];
torchvision.io.DefaultImager = new torchvision.io.SkiaImager();
void Print(string what, byte[] values) => Console.WriteLine($"{what}: {string.Join(' ', values)}");
var info = new SKImageInfo(1, 1, SKColorType.Rgba8888, SKAlphaType.Unpremul);
byte[] Straight(string path)
{
    using var codec = SKCodec.Create(path);
    codec.GetPixels(info, out var values);
    return values;
}
byte[] Read(string path) => torchvision.io.read_image(path, torchvision.io.ImageReadMode.RGB_ALPHA).flatten().data<byte>().ToArray();
Print("red, green, blue and alpha", pixel);
using (var bitmap = new SKBitmap(info))
{
    System.Runtime.InteropServices.Marshal.Copy(pixel, 0, bitmap.GetPixels(), pixel.Length);
    using var file = File.Create("skia.png");
    bitmap.Encode(file, SKEncodedImageFormat.Png, 100);
}
torchvision.io.write_png(tensor(pixel).reshape(4, 1, 1), "torch.png");
Print("written and read by SkiaSharp", Straight("skia.png"));
Print("written by TorchVision, read by SkiaSharp", Straight("torch.png"));
Print("written by SkiaSharp, read by TorchVision", Read("skia.png"));
Print("written and read by TorchVision", Read("torch.png"));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
red, green, blue and alpha: 200 100 50 128
written and read by SkiaSharp: 200 100 50 128
written by TorchVision, read by SkiaSharp: 200 100 50 50
written by SkiaSharp, read by TorchVision: 128 100 50 25
written and read by TorchVision: 50 39 20 10
X
