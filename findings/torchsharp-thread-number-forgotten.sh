#!/usr/bin/env bash
# TorchSharp 0.107.0 with libtorch 2.10.0: set_num_threads(n) on a new thread does not hold where the thread was not asked before. Its first
# get_num_threads() gives the number that was set last by any thread. After one get_num_threads() the setting holds.
# Seen: "set alone: 2, asked first: 1", where both threads set 1 and another set 2 meanwhile.
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
int Ask(bool first)
{
    var seen = 0;
    var mine = new Thread(() =>
    {
        if (first) get_num_threads();
        set_num_threads(1);
        var other = new Thread(() => set_num_threads(2));
        other.Start();
        other.Join();
        seen = get_num_threads();
    });
    mine.Start();
    mine.Join();
    return seen;
}
get_num_threads();
Console.WriteLine($"set alone: {Ask(false)}, asked first: {Ask(true)}");
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
grep -qx 'set alone: 2, asked first: 1' out.txt
