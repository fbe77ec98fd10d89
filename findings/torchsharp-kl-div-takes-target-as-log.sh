#!/usr/bin/env bash
# TorchSharp 0.107.0: three losses give other numbers than PyTorch's of the same name called the same way. One would expect PyTorch's, whose
# names, arguments and order they have; the documentation here names no default and no difference.
# kl_div and KLDivLoss take the target as logarithms unless told otherwise (log_target is true, in PyTorch false). So the divergence of a
# distribution from itself, often the measure of how far an edit inside a model moves its output, is not 0. hinge_embedding_loss has a
# margin of 0 (1 in PyTorch, and in TorchSharp's own HingeEmbeddingLoss), at which nothing unlike is ever pushed apart. gaussian_nll_loss
# adds up the values of each row before it averages, so the loss grows with the width of the row; PyTorch averages all of them.
# Seen, by PyTorch's formula and by TorchSharp:
#   kl_div of two distributions: formula 0.173, TorchSharp 6.422
#   kl_div of one from itself: formula 0.000, TorchSharp 6.169
#   KLDivLoss of one from itself: formula 0.000, TorchSharp 6.169
#   hinge_embedding_loss of an unlike pair at 0.25: formula 0.750, TorchSharp 0.000
#   HingeEmbeddingLoss of it: formula 0.750, TorchSharp 0.750
#   gaussian_nll_loss of 1 in a row, all one deviation off: formula 0.500, TorchSharp 0.500
#   gaussian_nll_loss of 8 in a row, all one deviation off: formula 0.500, TorchSharp 4.000
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
using static TorchSharp.torch.nn;
using var scope = NewDisposeScope();
double[] from = [.5, .25, .25], to = [.25, .25, .5];
var (target, input) = (tensor(from).reshape(1, 3), tensor(to).reshape(1, 3).log());
void Print(string what, double formula, Tensor given) =>
    Console.WriteLine(FormattableString.Invariant($"{what}: formula {formula:f3}, TorchSharp {given.item<double>():f3}"));
var divergence = from.Zip(to, (p, q) => p * Math.Log(p / q)).Sum();
Print("kl_div of two distributions", divergence, functional.kl_div(input, target, reduction: Reduction.Sum));
Print("kl_div of one from itself", 0, functional.kl_div(target.log(), target, reduction: Reduction.Sum));
Print("KLDivLoss of one from itself", 0, KLDivLoss(reduction: Reduction.Sum).call(target.log(), target));
var (distance, unlike) = (tensor([.25]), tensor([-1.0]));
Print("hinge_embedding_loss of an unlike pair at 0.25", 1 - .25, functional.hinge_embedding_loss(distance, unlike));
Print("HingeEmbeddingLoss of it", 1 - .25, HingeEmbeddingLoss().call(distance, unlike));
foreach (var width in new[] { 1, 8 })
{
    var (zero, one) = (zeros([2, width], float64), ones([2, width], float64));
    Print($"gaussian_nll_loss of {width} in a row, all one deviation off", .5, functional.gaussian_nll_loss(zero, one, one));
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
kl_div of two distributions: formula 0.173, TorchSharp 6.422
kl_div of one from itself: formula 0.000, TorchSharp 6.169
KLDivLoss of one from itself: formula 0.000, TorchSharp 6.169
hinge_embedding_loss of an unlike pair at 0.25: formula 0.750, TorchSharp 0.000
HingeEmbeddingLoss of it: formula 0.750, TorchSharp 0.750
gaussian_nll_loss of 1 in a row, all one deviation off: formula 0.500, TorchSharp 0.500
gaussian_nll_loss of 8 in a row, all one deviation off: formula 0.500, TorchSharp 4.000
X
