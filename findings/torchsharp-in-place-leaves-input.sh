#!/usr/bin/env bash
# TorchSharp 0.107.0: five functions that work in place by their name or argument leave their input as it is. One would expect them to change
# it, as in PyTorch, where the underscore means that, and as torch.lgamma_ is documented here ("in place"); of all activations with the argument
# inplace it is elu alone that does not. The right numbers come back, so it shows only where the result is not used: a clamp that is written as
# a statement, as in-place functions mostly are, has no effect, and nothing warns of it.
# Seen, for -1.5 or, for lgamma_, 2.5:
#   x.clamp_min_(0): left 0.000
#   torch.clamp_min_(x, 0): returned 0.000, left -1.500
#   torch.clamp_max_(x, -2): returned -2.000, left -1.500
#   torch.lgamma_(x): returned 0.285, left 2.500
#   x.elu_(): returned -0.777, left -1.500
#   functional.elu(x, 1, inplace: true): returned -0.777, left -1.500
#   functional.celu(x, 1, inplace: true): returned -0.777, left -0.777
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
void Show(string name, Func<Tensor, Tensor> function, double value = -1.5)
{
    var x = tensor(new[] { value });
    var returned = Invariant($"returned {function(x).item<double>():f3}, ");
    Console.WriteLine(Invariant($"{name}: {(name[..4] == "x.cl" ? "" : returned)}left {x.item<double>():f3}"));
}
Show("x.clamp_min_(0)", x => x.clamp_min_(0));
Show("torch.clamp_min_(x, 0)", x => torch.clamp_min_(x, 0));
Show("torch.clamp_max_(x, -2)", x => torch.clamp_max_(x, -2));
Show("torch.lgamma_(x)", torch.lgamma_, 2.5);
Show("x.elu_()", x => x.elu_());
Show("functional.elu(x, 1, inplace: true)", x => nn.functional.elu(x, 1, inplace: true));
Show("functional.celu(x, 1, inplace: true)", x => nn.functional.celu(x, 1, inplace: true));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
x.clamp_min_(0): left 0.000
torch.clamp_min_(x, 0): returned 0.000, left -1.500
torch.clamp_max_(x, -2): returned -2.000, left -1.500
torch.lgamma_(x): returned 0.285, left 2.500
x.elu_(): returned -0.777, left -1.500
functional.elu(x, 1, inplace: true): returned -0.777, left -1.500
functional.celu(x, 1, inplace: true): returned -0.777, left -0.777
X
