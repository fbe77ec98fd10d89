#!/usr/bin/env bash
# TorchSharp 0.107.0: under OneCycleLR the second parameter group never leaves the first phase. One would expect the same course for both
# groups, as they have the same settings, as documented and as in PyTorch. To find the last phase the code compares the number of the group
# with the number of phases, instead of the phase's own number. So with two phases the second group, and with three phases the third, swings
# on along the first cosine: up to the highest rate, down to the start and up again. At the end, when the rate ought to be next to nothing, it
# may be at its highest. Weight decay for some parameters alone is the usual reason for two groups.
# Seen, for 12 steps with a highest rate of 1, by PyTorch's formula and for each of two equal groups:
#   formula: 0.04 0.35 0.88 0.99 0.93 0.81 0.65 0.46 0.28 0.13 0.03 0.00
#   group 1: 0.04 0.35 0.88 0.99 0.93 0.81 0.65 0.46 0.28 0.13 0.03 0.00
#   group 2: 0.04 0.35 0.88 0.95 0.46 0.05 0.25 0.79 0.99 0.58 0.09 0.16
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
using static TorchSharp.torch.optim;
const int Steps = 12;
const double Highest = 1, First = Highest / 25, Last = First / 1e4, Warm = .3 * Steps - 1;
double Cosine(double from, double to, double share) => to + (from - to) / 2 * (1 + Math.Cos(Math.PI * share));
double Formula(int step) =>
    step <= Warm ? Cosine(First, Highest, step / Warm) : Cosine(Highest, Last, (step - Warm) / (Steps - 1 - Warm));
SGD.ParamGroup[] groups = [new([new Parameter(zeros(1))]), new([new Parameter(zeros(1))])];
var optimizer = new SGD(groups, .1);
var scheduler = lr_scheduler.OneCycleLR(optimizer, Highest, total_steps: Steps, cycle_momentum: false);
var courses = new List<double>[] { [], [], [] };
for (var step = 0; step < Steps; step++)
{
    var rates = optimizer.ParamGroups.Select(group => group.LearningRate).ToList();
    courses[0].Add(Formula(step));
    courses[1].Add(rates[0]);
    courses[2].Add(rates[1]);
    optimizer.step();
    if (step < Steps - 1)
        scheduler.step();
}
foreach (var (name, course) in new[] { "formula", "group 1", "group 2" }.Zip(courses))
    Console.WriteLine($"{name}: {string.Join(' ', course.Select(rate => FormattableString.Invariant($"{rate:f2}")))}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
formula: 0.04 0.35 0.88 0.99 0.93 0.81 0.65 0.46 0.28 0.13 0.03 0.00
group 1: 0.04 0.35 0.88 0.99 0.93 0.81 0.65 0.46 0.28 0.13 0.03 0.00
group 2: 0.04 0.35 0.88 0.95 0.46 0.05 0.25 0.79 0.99 0.58 0.09 0.16
X
