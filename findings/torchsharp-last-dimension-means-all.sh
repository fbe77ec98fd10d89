#!/usr/bin/env bash
# TorchSharp 0.107.0: quantile, nanquantile and aminmax along dimension -1 take all elements together. One would expect one result for each row,
# as -1 is the last dimension for max, sort and others here and for all of PyTorch's functions, which take none for all elements. The text on
# aminmax says the same: "If null, computes the values over the entire input tensor". But the native part reads -1 as "no dimension", and so
# one threshold comes back for a whole batch where there should be one for each row; it goes on by broadcasting, without an error. The last
# dimension's own number works.
# Seen, for the rows 1 2 3 and 10 20 30:
#   quantile 0.5: dimension 1 gives 2 20, dimension -1 gives 6.5
#   nanquantile 0.5: dimension 1 gives 2 20, dimension -1 gives 6.5
#   largest of aminmax: dimension 1 gives 3 30, dimension -1 gives 30
#   largest of max: dimension 1 gives 3 30, dimension -1 gives 3 30
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
var rows = tensor(new double[,] { { 1, 2, 3 }, { 10, 20, 30 } });
var middle = tensor(0.5);
string Show(Tensor values) => string.Join(' ', values.reshape(-1).data<double>().ToArray().Select(value => Invariant($"{value}")));
void Compare(string name, Func<long, Tensor> along) =>
    Console.WriteLine($"{name}: dimension 1 gives {Show(along(1))}, dimension -1 gives {Show(along(-1))}");
Compare("quantile 0.5", dimension => quantile(rows, middle, dimension));
Compare("nanquantile 0.5", dimension => nanquantile(rows, middle, dimension));
Compare("largest of aminmax", dimension => aminmax(rows, dimension).max);
Compare("largest of max", dimension => max(rows, dimension).values);
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
quantile 0.5: dimension 1 gives 2 20, dimension -1 gives 6.5
nanquantile 0.5: dimension 1 gives 2 20, dimension -1 gives 6.5
largest of aminmax: dimension 1 gives 3 30, dimension -1 gives 30
largest of max: dimension 1 gives 3 30, dimension -1 gives 3 30
X
