#!/usr/bin/env bash
# TorchSharp 0.107.0 over libtorch 2.10: jit.compile, which reaches operators that TorchSharp does not name, refuses a script whose last line
# has no line break ("expected newline but found 'eof'"), though such a script is whole. C# raw string literals end so. With the line break it
# compiles, and the operator (here the product of int8 matrices, exact in int32) can be called.
# Seen: "without: expected newline but found 'eof' here:, with: 16256".
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
const string script = """
    def product(a, b):
        return torch._int_mm(a, b)
    """;
string without;
try
{
    jit.compile(script);
    without = "compiles";
}
catch (Exception error)
{
    without = error.Message.Trim().Split('\n')[0];
}
using var unit = jit.compile(script + "\n");
var (a, b) = (ones([1, 128], int8) * 127, ones([128, 1], int8));
Console.WriteLine($"without: {without}, with: {((Tensor)unit.invoke("product", a, b)!).item<int>()}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
grep -qxF "without: expected newline but found 'eof' here:, with: 16256" out.txt
