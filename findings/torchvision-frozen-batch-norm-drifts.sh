#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): ops.FrozenBatchNorm2d gives another result each time it is called. One would expect the same,
# as its documentation has "the batch statistics and the affine parameters" fixed and as Python's torchvision gives; never to change is all that
# sets it apart from BatchNorm2d. The bias that belongs to one call, own bias less mean times scale, is stored as the module's own bias. So every
# call takes the mean off once more. A module whose means are 0, as a fresh one's are, shows nothing of it; with loaded weights the first picture
# is right and each later one further off. The state_dict tells the old bias all along.
# Seen, for a mean of 1, a variance of 1 and the input 5, call by call:
#   outputs: 4.0 3.0 2.0 1.0
#   bias: -4.0, in the state_dict 0.0
#   BatchNorm2d in evaluation: 4.0 4.0 4.0 4.0
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
using static System.FormattableString;
using var scope = NewDisposeScope();
string Show(float value) => Invariant($"{value:f1}");
var picture = full(1, 1, 1, 1, 5.0f);
string Run(nn.Module<Tensor, Tensor> module) =>
    string.Join(' ', Enumerable.Range(0, 4).Select(_ => Show(module.call(picture).item<float>())));
var frozen = torchvision.ops.FrozenBatchNorm2d(1);
frozen.running_mean.fill_(1);
Console.WriteLine($"outputs: {Run(frozen)}");
Console.WriteLine($"bias: {Show(frozen.bias.item<float>())}, in the state_dict {Show(frozen.state_dict()["bias"].item<float>())}");
var usual = nn.BatchNorm2d(1);
usual.running_mean!.fill_(1);
usual.eval();
Console.WriteLine($"BatchNorm2d in evaluation: {Run(usual)}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
outputs: 4.0 3.0 2.0 1.0
bias: -4.0, in the state_dict 0.0
BatchNorm2d in evaluation: 4.0 4.0 4.0 4.0
X
