#!/usr/bin/env bash
# TorchSharp 0.107.0: nn.RReLU multiplies every negative number by the middle of its two bounds, in training as well. One would expect a random
# slope between the bounds for each number in training and the middle one in evaluation, as in PyTorch. The documentation here names it
# "Randomized Rectified Linear Unit" and its arguments the bounds "of the uniform distribution". But neither the module nor
# functional.rrelu tells the native function that it trains, and that one takes evaluation unless told. So it is a LeakyReLU, without an error
# and without the noise it is chosen for; whether the module trains or not makes no difference.
# Seen, for 100000 times -1 and bounds of 0.1 and 0.3, with Dropout for comparison:
#   training True: slopes from 0.200 to 0.200, after Dropout 2 different numbers
#   training False: slopes from 0.200 to 0.200, after Dropout 1 different number
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="TorchSharp" Version="[0.107.0]" />
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
var ones = full(100000, -1.0);
var rectifier = nn.RReLU(0.1, 0.3);
var dropout = nn.Dropout(0.5);
foreach (var training in new[] { true, false })
{
    rectifier.train(training);
    dropout.train(training);
    var slopes = -rectifier.call(ones);
    var count = dropout.call(ones).unique().output.numel();
    var range = Invariant($"{slopes.min().item<float>():f3} to {slopes.max().item<float>():f3}");
    Console.WriteLine($"training {training}: slopes from {range}, after Dropout {count} different number{(count == 1 ? "" : "s")}");
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
training True: slopes from 0.200 to 0.200, after Dropout 2 different numbers
training False: slopes from 0.200 to 0.200, after Dropout 1 different number
X
