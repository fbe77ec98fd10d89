#!/usr/bin/env bash
# TorchSharp 0.107.0: optim.SGD with maximize and weight_decay makes the weights grow. One would expect them to shrink, as in PyTorch's SGD,
# whose documentation turns the gradient around first and adds the decay afterwards, and as with TorchSharp's own Adam, RMSProp and AdamW.
# But SGD here adds the decay to the gradient and then climbs both. A training that maximizes runs away from zero instead of being held.
# The gradient here is 0, so that the decay acts alone. Seen, for a weight of 1 after one step at a rate of 0.1 with a decay of 0.5:
#   SGD: formula 0.950, got 0.950
#   SGD with momentum: formula 0.950, got 0.950
#   AdamW: formula 0.950, got 0.950
#   SGD, maximize: formula 0.950, got 1.050
#   SGD with momentum, maximize: formula 0.950, got 1.050
#   AdamW, maximize: formula 0.950, got 0.950
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
const double Rate = .1, Decay = .5;
foreach (var maximize in new[] { false, true })
    foreach (var (name, make) in new (string, Func<Parameter, optim.Optimizer>)[]
    {
        ("SGD", weight => optim.SGD([weight], Rate, weight_decay: Decay, maximize: maximize)),
        ("SGD with momentum", weight => optim.SGD([weight], Rate, momentum: .9, weight_decay: Decay, maximize: maximize)),
        ("AdamW", weight => optim.AdamW([weight], Rate, weight_decay: Decay, maximize: maximize)),
    })
    {
        var weight = new Parameter(ones(1, float64));
        var optimizer = make(weight);
        (0.0 * weight).sum().backward();
        optimizer.step();
        var formula = 1 - Rate * Decay;
        Console.WriteLine(FormattableString.Invariant($"{name}{(maximize ? ", maximize" : "")}: formula {formula:f3}, ")
            + FormattableString.Invariant($"got {weight.item<double>():f3}"));
    }
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
SGD: formula 0.950, got 0.950
SGD with momentum: formula 0.950, got 0.950
AdamW: formula 0.950, got 0.950
SGD, maximize: formula 0.950, got 1.050
SGD with momentum, maximize: formula 0.950, got 1.050
AdamW, maximize: formula 0.950, got 0.950
X
