#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): functional.autocontrast leaves a picture of a batch as it is when one of its channels is of a
# single value. One would expect the other channels to be stretched, as when the same picture comes alone and as Python's torchvision gives
# for both. The code looks for channels without a range, to leave those alone. But of each place it takes only the first number, which in a
# batch is that of the picture. So one flat channel, as of a drawing in two colours, switches it off for all three.
# Seen, for two pictures whose red and green go from 0.2 to 0.4, and whose blue is flat in the first and does the same in the second:
#   first alone: 0 1, 0 1, 0.4 0.4
#   first in a batch: 0.2 0.4, 0.2 0.4, 0.4 0.4
#   second alone: 0 1, 0 1, 0 1
#   second in a batch: 0 1, 0 1, 0 1
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
Tensor Picture(float blue) => tensor([.2f, .4f, .2f, .4f, blue, .4f]).reshape(3, 1, 2);
string Show(Tensor picture) => string.Join(", ", Enumerable.Range(0, 3).Select(channel =>
    string.Join(' ', picture[channel, 0].data<float>().ToArray().Select(value => FormattableString.Invariant($"{value:0.##}")))));
var (flat, full) = (Picture(.4f), Picture(.2f));
var batch = functional.autocontrast(stack([flat, full]));
Console.WriteLine($"first alone: {Show(functional.autocontrast(flat))}");
Console.WriteLine($"first in a batch: {Show(batch[0])}");
Console.WriteLine($"second alone: {Show(functional.autocontrast(full))}");
Console.WriteLine($"second in a batch: {Show(batch[1])}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
first alone: 0 1, 0 1, 0.4 0.4
first in a batch: 0.2 0.4, 0.2 0.4, 0.4 0.4
second alone: 0 1, 0 1, 0 1
second in a batch: 0 1, 0 1, 0 1
X
