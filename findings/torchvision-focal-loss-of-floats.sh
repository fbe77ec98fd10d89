#!/usr/bin/env bash
# TorchVision 0.107.0 (over TorchSharp 0.107.0): ops.sigmoid_focal_loss gives other losses when alpha and gamma are floats than when they are
# doubles. One would expect the same, Python's torchvision's: each element's loss, weighted, and then their mean or sum. Two methods of that name
# differ only in those two types. The one with floats hands the reduction on to the cross entropy as well, so all elements have the same loss
# by the time they are weighted. The focal loss is there to weigh hard examples more than easy ones, which it then hardly does: the hard ones'
# weights fall on the average. Without a reduction the two agree.
# Seen, for an easy example (2) and a hard one (-3), both with the target 1:
#   None: formula 0.000 0.692, doubles 0.000 0.692, floats 0.000 0.692
#   Mean: formula 0.346, doubles 0.346, floats 0.183
#   Sum: formula 0.692, doubles 0.692, floats 0.732
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
using static TorchSharp.torchvision.ops;
using static System.FormattableString;
using var scope = NewDisposeScope();
string Show(IEnumerable<float> values) => string.Join(' ', values.Select(value => Invariant($"{value:f3}")));
float[] scores = [2, -3];
var losses = scores.Select(score => 1 / (1 + MathF.Exp(-score))).Select(p => 0.25f * (1 - p) * (1 - p) * -MathF.Log(p)).ToArray();
var (x, y) = (tensor(scores), ones(2));
void Compare(nn.Reduction reduction, params float[] formula)
{
    var doubles = sigmoid_focal_loss(x, y, 0.25, 2.0, reduction).data<float>();
    var floats = sigmoid_focal_loss(x, y, 0.25f, 2f, reduction).data<float>();
    Console.WriteLine($"{reduction}: formula {Show(formula)}, doubles {Show(doubles)}, floats {Show(floats)}");
}
Compare(nn.Reduction.None, losses);
Compare(nn.Reduction.Mean, losses.Average());
Compare(nn.Reduction.Sum, losses.Sum());
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
None: formula 0.000 0.692, doubles 0.000 0.692, floats 0.000 0.692
Mean: formula 0.346, doubles 0.346, floats 0.183
Sum: formula 0.692, doubles 0.692, floats 0.732
X
