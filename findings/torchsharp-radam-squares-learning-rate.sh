#!/usr/bin/env bash
# TorchSharp 0.107.0: optim.RAdam applies the learning rate twice from its sixth step on. One would expect PyTorch's RAdam, whose
# documentation gives a rectified step as learning rate times corrected mean times r times l. At a rate of 1e-3 TorchSharp's steps are a
# thousandth of that, so a training that began well stands still, without an error. The first five steps, not yet rectified, are right.
# The gradient here is always 1, so the corrected mean and l are 1: a step is the learning rate at first, and r times it once rectified.
# Seen, as shares of PyTorch's steps:
#   step 5: 1.0000 at a rate of 1e-2, 1.0000 at 1e-3
#   step 6: 0.0100 at a rate of 1e-2, 0.0010 at 1e-3
#   step 100: 0.0100 at a rate of 1e-2, 0.0010 at 1e-3
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
using TorchSharp.Modules;
using static TorchSharp.torch;
using var scope = NewDisposeScope();
const double Decay = .999;
var last = 2 / (1 - Decay) - 1;
// r of PyTorch's formula, and 1 where it does not rectify.
double Rectified(int step)
{
    var rho = last - 2 * step * Math.Pow(Decay, step) / (1 - Math.Pow(Decay, step));
    return rho > 5 ? Math.Sqrt((rho - 4) * (rho - 2) * last / ((last - 4) * (last - 2) * rho)) : 1;
}
double[] Shares(double rate)
{
    var value = new Parameter(zeros(1, dtype: ScalarType.Float64));
    var optimizer = optim.RAdam([value], rate);
    var shares = new double[101];
    for (var step = 1; step <= 100; step++)
    {
        var before = value.item<double>();
        optimizer.zero_grad();
        value.sum().backward();
        optimizer.step();
        shares[step] = (before - value.item<double>()) / (rate * Rectified(step));
    }
    return shares;
}
var (large, small) = (Shares(1e-2), Shares(1e-3));
foreach (var step in new[] { 5, 6, 100 })
    Console.WriteLine(FormattableString.Invariant($"step {step}: {large[step]:f4} at a rate of 1e-2, {small[step]:f4} at 1e-3"));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
step 5: 1.0000 at a rate of 1e-2, 1.0000 at 1e-3
step 6: 0.0100 at a rate of 1e-2, 0.0010 at 1e-3
step 100: 0.0100 at a rate of 1e-2, 0.0010 at 1e-3
X
