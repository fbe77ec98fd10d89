using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Microsoft.Net.Http.Headers;

namespace SaeUnbox.Web.Hosting;

/// <summary>
/// Serves Blazor's script, which the runtime pack holds as a resource of one of its assemblies. The assembly is read as data: it is
/// never loaded.
/// </summary>
internal static class BlazorScript
{
    public const string Address = "/_framework/blazor.web.js";
    private const string File = "blazor-script.bin", Resource = "_framework/blazor.web.js";

    public static void MapBlazorScript(this WebApplication app)
    {
        var script = Read(Path.Combine(AppContext.BaseDirectory, File));
        var tag = new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(script))[..16]}\"");
        app.MapMethods(Address, [HttpMethods.Get, HttpMethods.Head], (HttpResponse response) =>
        {
            response.Headers.CacheControl = "no-cache"; // kept, and asked about: the address says nothing of the version
            return TypedResults.Bytes(script, "text/javascript", entityTag: tag);
        }).ExcludeFromDescription();
    }

    private static byte[] Read(string path)
    {
        using var file = new PEReader(System.IO.File.OpenRead(path));
        var metadata = file.GetMetadataReader();
        var found = metadata.ManifestResources.Select(metadata.GetManifestResource).Single(resource => metadata.GetString(resource.Name) == Resource);
        var section = file.GetSectionData(file.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress);
        var reader = section.GetReader((int)found.Offset, section.Length - (int)found.Offset);
        return reader.ReadBytes(reader.ReadInt32());
    }
}
