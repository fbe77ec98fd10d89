#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): utils.make_grid, and save_image with it, puts every picture too high by its padding and fails
# on a last row that is not full. One would expect a border of the padding all around, and free places at the end, as from Python's
# torchvision, of which it is a translation: the same code puts the pictures right from left to right, and the size it gives the grid has room
# for the upper border. But the upper border is missing and the lower one is twice as wide. It also asks for one picture more than there are.
# Seen, for pictures of 2 x 2 ones, two in a row, with a padding of 1:
#   2: 0110110 0110110 0000000 0000000
#   4: 0110110 0110110 0000000 0110110 0110110 0000000 0000000
#   3: select(): index 3 out of range for tensor of size [3, 3, 2, 2] at dimension 0
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
foreach (var count in new[] { 2, 4, 3 })
{
    try
    {
        var grid = torchvision.utils.make_grid(ones(count, 1, 2, 2), nrow: 2, padding: 1)[0];
        var rows = Enumerable.Range(0, (int)grid.shape[0]).Select(row => string.Concat(grid[row].data<float>().ToArray()));
        Console.WriteLine($"{count}: {string.Join(' ', rows)}");
    }
    catch (Exception error)
    {
        Console.WriteLine($"{count}: {error.Message.Split('\n')[0]}");
    }
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
2: 0110110 0110110 0000000 0000000
4: 0110110 0110110 0000000 0110110 0110110 0000000 0000000
3: select(): index 3 out of range for tensor of size [3, 3, 2, 2] at dimension 0
X
