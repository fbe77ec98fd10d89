#!/usr/bin/env bash
# System.Numerics.Tensors 11.0.0: TensorPrimitives.SoftMax gives NaN for quite usual numbers. One would expect shares that add up to 1, as
# from PyTorch and other libraries of the field, since the result depends on differences alone, so that the largest value can be subtracted
# first; the documentation names no limit. But the code takes the exponentials as they are. In half precision, in which models run, they
# overflow beyond 11 (at 11 their sum does, and every share is 0), in single precision beyond 88, in double beyond 709; far below zero all
# of them are 0 and so is their sum. Scores of attention and of classifiers can be that large. Subtracting the largest value first helps.
# Seen, for two values one apart, whose shares by the formula are 0.731 and 0.269:
#   Half 11 10: 0.000 0.000, shifted 0.731 0.269
#   Half 12 11: NaN 0.000, shifted 0.731 0.269
#   Half -18 -19: NaN NaN, shifted 0.731 0.269
#   Single 88 87: 0.731 0.269, shifted 0.731 0.269
#   Single 89 88: NaN 0.000, shifted 0.731 0.269
#   Single -104 -105: NaN NaN, shifted 0.731 0.269
#   Double 709 708: 0.731 0.269, shifted 0.731 0.269
#   Double 710 709: NaN 0.000, shifted 0.731 0.269
#   Double -746 -747: NaN NaN, shifted 0.731 0.269
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >find.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="System.Numerics.Tensors" Version="[11.0.0]" />
  </ItemGroup>
</Project>
X
cat >Program.cs <<'X'
using System.Numerics;
using System.Numerics.Tensors;
string Shares<T>(T[] values) where T : IExponentialFunctions<T>
{
    var shares = new T[values.Length];
    TensorPrimitives.SoftMax<T>(values, shares);
    return string.Join(' ', shares.Select(share => FormattableString.Invariant($"{double.CreateChecked(share):f3}")));
}
void Print<T>(params double[] tops) where T : IExponentialFunctions<T>
{
    foreach (var top in tops)
    {
        T[] values = [T.CreateChecked(top), T.CreateChecked(top - 1)];
        T[] shifted = [.. values.Select(value => value - values[0])];
        Console.WriteLine($"{typeof(T).Name} {top} {top - 1}: {Shares(values)}, shifted {Shares(shifted)}");
    }
}
Print<Half>(11, 12, -18);
Print<float>(88, 89, -104);
Print<double>(709, 710, -746);
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
Half 11 10: 0.000 0.000, shifted 0.731 0.269
Half 12 11: NaN 0.000, shifted 0.731 0.269
Half -18 -19: NaN NaN, shifted 0.731 0.269
Single 88 87: 0.731 0.269, shifted 0.731 0.269
Single 89 88: NaN 0.000, shifted 0.731 0.269
Single -104 -105: NaN NaN, shifted 0.731 0.269
Double 709 708: 0.731 0.269, shifted 0.731 0.269
Double 710 709: NaN 0.000, shifted 0.731 0.269
Double -746 -747: NaN NaN, shifted 0.731 0.269
X
