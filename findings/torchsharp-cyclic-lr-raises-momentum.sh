#!/usr/bin/env bash
# TorchSharp 0.107.0: optim.lr_scheduler.CyclicLR raises the momentum above max_momentum. One would expect PyTorch's CyclicLR, where the
# momentum falls from max_momentum to base_momentum while the learning rate rises; TorchSharp's own documentation says the same: "cycled
# inversely", "the difference of max_momentum and some scaling of the amplitude". But the code adds the scaled amplitude where it should
# subtract it. With the defaults 0.8 and 0.9 the momentum reaches 1 at the peak of the learning rate, so SGD forgets no gradient there;
# with 0.85 and 0.95 it reaches 1.05, so what SGD has gathered grows by itself. There is no error.
# Seen, over a cycle of 8 steps:
#   step 0: rate 0.10, momentum 0.90 of 0.8 to 0.9, 0.95 of 0.85 to 0.95
#   step 2: rate 0.55, momentum 0.95 of 0.8 to 0.9, 1.00 of 0.85 to 0.95
#   step 4: rate 1.00, momentum 1.00 of 0.8 to 0.9, 1.05 of 0.85 to 0.95
#   step 6: rate 0.55, momentum 0.95 of 0.8 to 0.9, 1.00 of 0.85 to 0.95
#   step 8: rate 0.10, momentum 0.90 of 0.8 to 0.9, 0.95 of 0.85 to 0.95
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
(double Rate, double Momentum)[] Cycle(double lower, double upper)
{
    var value = new Parameter(zeros(1));
    var optimizer = optim.SGD([value], .1, momentum: .9);
    var scheduler = optim.lr_scheduler.CyclicLR(optimizer, .1, 1, step_size_up: 4, base_momentum: lower, max_momentum: upper);
    var group = (SGD.ParamGroup)optimizer.ParamGroups.Single();
    var steps = new (double, double)[9];
    for (var step = 0; step <= 8; step++)
    {
        steps[step] = (group.LearningRate, group.Momentum);
        optimizer.zero_grad();
        value.sum().backward();
        optimizer.step();
        scheduler.step();
    }
    return steps;
}
var (usual, higher) = (Cycle(.8, .9), Cycle(.85, .95));
foreach (var step in new[] { 0, 2, 4, 6, 8 })
    Console.WriteLine(FormattableString.Invariant($"step {step}: rate {usual[step].Rate:f2}, ")
        + FormattableString.Invariant($"momentum {usual[step].Momentum:f2} of 0.8 to 0.9, {higher[step].Momentum:f2} of 0.85 to 0.95"));
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
step 0: rate 0.10, momentum 0.90 of 0.8 to 0.9, 0.95 of 0.85 to 0.95
step 2: rate 0.55, momentum 0.95 of 0.8 to 0.9, 1.00 of 0.85 to 0.95
step 4: rate 1.00, momentum 1.00 of 0.8 to 0.9, 1.05 of 0.85 to 0.95
step 6: rate 0.55, momentum 0.95 of 0.8 to 0.9, 1.00 of 0.85 to 0.95
step 8: rate 0.10, momentum 0.90 of 0.8 to 0.9, 0.95 of 0.85 to 0.95
X
