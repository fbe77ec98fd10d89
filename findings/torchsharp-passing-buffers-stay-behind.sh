#!/usr/bin/env bash
# TorchSharp 0.107.0: a buffer that is registered as not persistent does not follow its module to another type, and is missing from buffers()
# and named_buffers(). One would expect it to follow and to be listed, as in PyTorch, and since the documentation says only that it is no
# part of state_dict and that these methods include such buffers by default. But named_buffers leaves them out whatever its argument, and
# the conversion, to another device as well, goes through named_buffers. Tables that can be computed again, as those of rotary embeddings,
# are such buffers: after half() they are still in single precision, and turn all that they touch back into it.
# Seen, for a module with one buffer of each kind:
#   listed by default: persistent
#   after half(): persistent Float16, passing Float32
#   half precision times passing: Float32
#   after to(float64): persistent Float64, passing Float32
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
var module = new Tables();
Console.WriteLine($"listed by default: {string.Join(' ', module.named_buffers().Select(buffer => buffer.name))}");
module.half();
Console.WriteLine($"after half(): persistent {module.get_buffer("persistent").dtype}, passing {module.get_buffer("passing").dtype}");
var product = ones(2, float16) * module.get_buffer("passing");
Console.WriteLine($"half precision times passing: {product.dtype}");
module.to(float64);
Console.WriteLine($"after to(float64): persistent {module.get_buffer("persistent").dtype}, passing {module.get_buffer("passing").dtype}");

internal sealed class Tables : nn.Module
{
    public Tables() : base(nameof(Tables))
    {
        register_buffer("persistent", arange(2, float32));
        register_buffer("passing", arange(2, float32), persistent: false);
    }
}
X
dotnet run --verbosity quiet --configuration Release | tee out.txt
diff out.txt - <<'X'
listed by default: persistent
after half(): persistent Float16, passing Float32
half precision times passing: Float32
after to(float64): persistent Float64, passing Float32
X
