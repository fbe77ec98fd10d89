using System.Runtime.InteropServices;

namespace SaeUnbox.Pictures;

/// <summary>WebP by the system's libwebp. Upstream/WebPCodec.cs is the same by ImageSharp.</summary>
internal static partial class WebPCodec
{
    private const string Library = "libwebp.so.7";

    public static bool IsAvailable { get; } = NativeLibrary.TryLoad(Library, out _);

    public static byte[] Encode(Picture rgb, int quality)
    {
        nint file = 0;
        try
        {
            var size = WebPEncodeRGB(rgb.Bytes, rgb.Width, rgb.Height, 3 * rgb.Width, quality, out file);
            if (size == 0)
                throw new PictureException($"libwebp could not write a picture of {rgb.Width} x {rgb.Height}");
            var bytes = new byte[size];
            Marshal.Copy(file, bytes, 0, bytes.Length);
            return bytes;
        }
        finally
        {
            WebPFree(file);
        }
    }

    [LibraryImport(Library)]
    private static partial nuint WebPEncodeRGB(byte[] rgb, int width, int height, int stride, float quality, out nint file);

    [LibraryImport(Library)]
    private static partial void WebPFree(nint file);
}
