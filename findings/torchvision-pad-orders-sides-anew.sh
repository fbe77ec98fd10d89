#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): transforms.Pad takes its list in another order than it documents and than
# transforms.functional.pad. One would expect left, top, right, bottom for four numbers, left and right, then top and bottom for two, and all
# sides for one; both have that same text, and Python's torchvision does it. But Pad hands the list on to torch.nn.functional.pad, where it
# goes from the last dimension outwards: left, right, top, bottom. Two numbers are left and right alone, and one raises an error. Where
# top and right are equal, nothing shows.
# Seen, for a picture of one pixel, as the border on its left, top, right and bottom:
#   1 2 3 4: functional.pad 1 2 3 4, Pad 1 3 2 4
#   1 2: functional.pad 1 2 1 2, Pad 1 0 2 0
#   1: functional.pad 1 1 1 1, Pad Padding length must be divisible by 2
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
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torchvision;
using var scope = NewDisposeScope();
string Border(Func<Tensor> padded)
{
    try
    {
        var picture = padded();
        var place = picture[0].nonzero()[0].data<long>().ToArray();
        var (top, left) = (place[0], place[1]);
        return $"{left} {top} {picture.shape[2] - 1 - left} {picture.shape[1] - 1 - top}";
    }
    catch (ExternalException error)
    {
        return error.Message.Split('\n')[0];
    }
}
var pixel = ones(1, 1, 1);
foreach (var sides in new long[][] { [1, 2, 3, 4], [1, 2], [1] })
{
    var function = Border(() => transforms.functional.pad(pixel, sides));
    Console.WriteLine($"{string.Join(' ', sides)}: functional.pad {function}, Pad {Border(() => transforms.Pad(sides).call(pixel))}");
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
1 2 3 4: functional.pad 1 2 3 4, Pad 1 3 2 4
1 2: functional.pad 1 2 1 2, Pad 1 0 2 0
1: functional.pad 1 1 1 1, Pad Padding length must be divisible by 2
X
