#!/usr/bin/env bash
# TorchSharp 0.107.0: torch.var_mean(x) over all elements gives the standard deviation. One would expect the variance, as its name, its own
# documentation and PyTorch's var_mean say; but it hands on to std_mean. With a dimension, or as the method x.var_mean(), it is the variance.
# The values 1, 2 and 6 have the mean 3 and the variance 7. Seen: "torch.var_mean 2.646, with a dimension 7.000, method 7.000".
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
using var scope = NewDisposeScope();
var x = tensor(new[] { 1.0, 2.0, 6.0 });
var (whole, _) = var_mean(x);
var (along, _) = var_mean(x, 0);
var (method, _) = x.var_mean();
string Show(Tensor value) => FormattableString.Invariant($"{value.item<double>():f3}");
Console.WriteLine($"torch.var_mean {Show(whole)}, with a dimension {Show(along)}, method {Show(method)}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
grep -qx 'torch.var_mean 2.646, with a dimension 7.000, method 7.000' out.txt
