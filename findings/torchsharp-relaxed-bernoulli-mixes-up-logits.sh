#!/usr/bin/env bash
# TorchSharp 0.107.0: distributions.RelaxedBernoulli made from probabilities takes log p for the log-odds. One would expect log(p / (1 - p)), as
# its documentation says ("the log-odds of sampling 1"), as Bernoulli gives and as in PyTorch. So its log_prob is that of other samples than it
# draws. Its property temperature gives the logits. And its samples carry no gradient, though it "has reparametrizable samples", which is what
# the relaxed distribution is for: gates that are nearly 0 or 1 and can be learned. Made from logits it has the right density, but cannot draw:
# it reaches for the probabilities that it was not given.
# Seen, for a probability of 0.9 and a temperature of 0.5, made from each form:
#   Bernoulli: logits 2.197
#   from probs: logits -0.105, temperature -0.105, log density at 0.3 -0.544, sample with gradient False
#   from logits: logits 2.197, temperature 2.197, log density at 0.3 -1.894, sample NullReferenceException
#   formula: logits 2.197, temperature 0.500, log density at 0.3 -1.894
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
double Number(Tensor value) => value.item<double>();
var (p, t, y) = (0.9, 0.5, 0.3);
var odds = Math.Log(p / (1 - p));
var probability = tensor(p, float64).requires_grad_(true);
var relaxed = distributions.RelaxedBernoulli(tensor(t, float64), probability, null);
var other = distributions.RelaxedBernoulli(tensor(t, float64), null, tensor(odds, float64));
Console.WriteLine(Invariant($"Bernoulli: logits {Number(distributions.Bernoulli(tensor(p, float64)).logits):f3}"));
string Show(TorchSharp.Modules.RelaxedBernoulli own)
{
    var density = Number(own.log_prob(tensor(y, float64)));
    return Invariant($"logits {Number(own.logits):f3}, temperature {Number(own.temperature):f3}, log density at 0.3 {density:f3}");
}
string Sample(TorchSharp.Modules.RelaxedBernoulli own)
{
    try { return $"sample with gradient {own.rsample().requires_grad}"; }
    catch (NullReferenceException error) { return $"sample {error.GetType().Name}"; }
}
Console.WriteLine($"from probs: {Show(relaxed)}, {Sample(relaxed)}");
Console.WriteLine($"from logits: {Show(other)}, {Sample(other)}");
var difference = odds - t * Math.Log(y / (1 - y));
var density = Math.Log(t) + difference - 2 * Math.Log(1 + Math.Exp(difference)) - Math.Log(y * (1 - y));
Console.WriteLine(Invariant($"formula: logits {odds:f3}, temperature {t:f3}, log density at 0.3 {density:f3}"));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
Bernoulli: logits 2.197
from probs: logits -0.105, temperature -0.105, log density at 0.3 -0.544, sample with gradient False
from logits: logits 2.197, temperature 2.197, log density at 0.3 -1.894, sample NullReferenceException
formula: logits 2.197, temperature 0.500, log density at 0.3 -1.894
X
