#!/usr/bin/env bash
# TorchSharp 0.107.0: two functions that are named as inverses are none. One would expect erf(erfinv(x)) to be x and the product of a matrix and
# its inverse to be the unit matrix, as in PyTorch and as linalg.inv_ex is documented here ("inverse contains the result of inverting A").
# But torch.erfinv computes erf, and linalg.inv_ex the factor of a Cholesky decomposition. So inv_ex also reports many matrices that have an
# inverse as failed, for it asks for positive definite ones. special.erfinv, the method erfinv and linalg.inv are right; each of the two wrong
# ones lies beside a right one of nearly the same name. erfinv is what makes normal numbers out of uniform ones.
# Seen, for a number and for two matrices of two rows:
#   erf of torch.erfinv of 0.5: 0.538, of special.erfinv 0.500
#   inverse of 4 2 / 2 3: inv 0.375 -0.250 -0.250 0.500, inv_ex 2.000 0.000 1.000 1.414
#   inverse of 0 1 / 1 0: inv 0.000 1.000 1.000 0.000, inv_ex reports success False
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
string Show(Tensor values) => string.Join(' ', values.reshape(-1).data<double>().ToArray().Select(value => Invariant($"{value:f3}")));
var half = tensor(new[] { 0.5 });
Console.WriteLine($"erf of torch.erfinv of 0.5: {Show(erfinv(half).erf())}, of special.erfinv {Show(special.erfinv(half).erf())}");
var matrix = tensor(new double[,] { { 4, 2 }, { 2, 3 } });
Console.WriteLine($"inverse of 4 2 / 2 3: inv {Show(linalg.inv(matrix))}, inv_ex {Show(linalg.inv_ex(matrix).L)}");
var swap = tensor(new double[,] { { 0, 1 }, { 1, 0 } });
var success = linalg.inv_ex(swap).info.item<int>() == 0;
Console.WriteLine($"inverse of 0 1 / 1 0: inv {Show(linalg.inv(swap))}, inv_ex reports success {success}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
erf of torch.erfinv of 0.5: 0.538, of special.erfinv 0.500
inverse of 4 2 / 2 3: inv 0.375 -0.250 -0.250 0.500, inv_ex 2.000 0.000 1.000 1.414
inverse of 0 1 / 1 0: inv 0.000 1.000 1.000 0.000, inv_ex reports success False
X
