#!/usr/bin/env bash
# TorchSharp 0.107.0: four distributions tell wrong values about themselves, though their samples are right. One would expect the values of
# any textbook, which PyTorch's distributions give and the samples agree with.
# Exponential.variance is the square of the rate, and not of its reciprocal (whose root stddev gives). Geometric.mean is 1 / (p - 1), which is
# negative, and not 1 / p - 1. Poisson.cdf is that of the exponential distribution, so that no count is ever 0. Binomial.entropy is that of a
# single throw, whatever the number of throws.
# Seen, as told, as seen in a million samples and as by the formula:
#   variance of Exponential(2): told 4.00, samples 0.25, formula 0.25
#   mean of Geometric(0.25): told -1.33, samples 3.01, formula 3.00
#   cdf of Poisson(2) at 0: told 0.00, samples 0.14, formula 0.14
#   entropy of Binomial(10, 0.5): told 0.69, samples 1.88, formula 1.88
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
using static TorchSharp.torch.distributions;
using var scope = NewDisposeScope();
var generator = new Generator(1);
Tensor Value(double value) => tensor(value, float64);
string Show(double value) => FormattableString.Invariant($"{value:f2}");
void Print(string what, Tensor told, Tensor samples, double formula) =>
    Console.WriteLine($"{what}: told {Show(told.item<double>())}, samples {Show(samples.item<double>())}, formula {Show(formula)}");
const int Count = 1000000;
var exponential = Exponential(Value(2), generator);
Print("variance of Exponential(2)", exponential.variance, exponential.sample(Count).var(), 1 / Math.Pow(2, 2));
var geometric = Geometric(Value(.25), generator: generator);
Print("mean of Geometric(0.25)", geometric.mean, geometric.sample(Count).mean(), 1 / .25 - 1);
var poisson = Poisson(Value(2), generator);
Print("cdf of Poisson(2) at 0", poisson.cdf(Value(0)), poisson.sample(Count).eq(0).to(float64).mean(), Math.Exp(-2));
// A throw of ten coins; the shares of the eleven counts add up to the entropy.
var binomial = new TorchSharp.Modules.Binomial(Value(10), Value(.5), generator: generator);
var shares = bincount(binomial.sample(Count).to(int64)).to(float64) / Count;
double Choose(int of) => Enumerable.Range(1, of).Aggregate(1.0, (all, i) => all * (11 - i) / i);
var entropy = -Enumerable.Range(0, 11).Select(of => Choose(of) / 1024).Sum(share => share * Math.Log(share));
Print("entropy of Binomial(10, 0.5)", binomial.entropy(), -shares.xlogy(shares).sum(), entropy);
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
variance of Exponential(2): told 4.00, samples 0.25, formula 0.25
mean of Geometric(0.25): told -1.33, samples 3.01, formula 3.00
cdf of Poisson(2) at 0: told 0.00, samples 0.14, formula 0.14
entropy of Binomial(10, 0.5): told 0.69, samples 1.88, formula 1.88
X
