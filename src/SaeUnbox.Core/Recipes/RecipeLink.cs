using System.Buffers.Text;
using System.IO.Compression;
using System.Text;

namespace SaeUnbox.Core;

/// <summary>The link form: the UTF-8 JSON, compressed with raw deflate, in base64url.</summary>
internal static class RecipeLink
{
    private const string Field = "link";

    public static string Encode(Recipe recipe)
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
            deflate.Write(Encoding.UTF8.GetBytes(recipe.ToJson()));
        var link = Base64Url.EncodeToString(packed.GetBuffer().AsSpan(0, (int)packed.Length));
        return link.Length <= RecipeLimits.MaxLinkLength
            ? link
            : throw new RecipeException(Field,
                $"the recipe is too large for a link: {link.Length} characters, {RecipeLimits.MaxLinkLength} are allowed; share a short "
                + "link instead");
    }

    public static string Inflate(string link)
    {
        if (link.Length > RecipeLimits.MaxLinkLength)
            throw new RecipeException(Field, $"is {link.Length} characters long; {RecipeLimits.MaxLinkLength} are allowed");
        if (!Base64Url.IsValid(link))
            throw new RecipeException(Field, "is not base64url; part of the address may be missing");
        using var deflate = new DeflateStream(new MemoryStream(Base64Url.DecodeFromChars(link)), CompressionMode.Decompress);
        try
        {
            var json = new byte[RecipeLimits.MaxJsonLength];
            var length = deflate.ReadAtLeast(json, json.Length, throwOnEndOfStream: false);
            if (length == json.Length && deflate.ReadByte() >= 0)
                throw RecipeException.TooLong($"more than {RecipeLimits.MaxJsonLength} bytes");
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(json, 0, length);
        }
        catch (Exception error) when (error is InvalidDataException or DecoderFallbackException)
        {
            throw new RecipeException(Field, "cannot be unpacked; part of the address may be missing", error);
        }
    }
}
