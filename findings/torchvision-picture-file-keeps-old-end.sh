#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): io.write_png, write_jpeg, write_image and utils.save_image leave the end of an older, longer
# file in place. One would expect the new file's bytes alone, as from Python's torchvision and from File.WriteAllBytes. But the code opens
# the file with FileMode.OpenOrCreate, which does not cut it. Viewers stop at the picture's end and show nothing odd. But the file stays
# as large as the largest picture written there, its hash is another, and strict readers complain about what follows the end.
# Seen, for a black picture of 4 x 4 written where a noisy one of 64 x 64 was, and written afresh:
#   write_png: as long as before True, begins as the fresh file True, ends as before True
#   write_jpeg: as long as before True, begins as the fresh file True, ends as before True
#   save_image: as long as before True, begins as the fresh file True, ends as before True
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
using var scope = NewDisposeScope();
torchvision.io.DefaultImager = new torchvision.io.SkiaImager();
var noise = rand([3, 64, 64], generator: new Generator(1)).mul(255).to(uint8);
var black = zeros([3, 4, 4], uint8);
foreach (var (name, write) in new (string, Action<Tensor, string>)[]
{
    ("write_png", (picture, path) => torchvision.io.write_png(picture, path)),
    ("write_jpeg", (picture, path) => torchvision.io.write_jpeg(picture, path)),
    ("save_image", (picture, path) => torchvision.utils.save_image(picture / 255f, path, torchvision.ImageFormat.Png)),
})
{
    write(noise, "used-" + name);
    var before = File.ReadAllBytes("used-" + name);
    write(black, "used-" + name);
    write(black, "fresh-" + name);
    var (used, fresh) = (File.ReadAllBytes("used-" + name), File.ReadAllBytes("fresh-" + name));
    Console.WriteLine($"{name}: as long as before {used.Length == before.Length}, begins as the fresh file "
        + $"{used.AsSpan(0, fresh.Length).SequenceEqual(fresh)}, "
        + $"ends as before {used.AsSpan(fresh.Length).SequenceEqual(before.AsSpan(fresh.Length))}");
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
write_png: as long as before True, begins as the fresh file True, ends as before True
write_jpeg: as long as before True, begins as the fresh file True, ends as before True
save_image: as long as before True, begins as the fresh file True, ends as before True
X
