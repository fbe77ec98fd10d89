namespace SaeUnbox.Core;

/// <summary>A picture file that cannot be read, or sizes that do not make a picture.</summary>
public sealed class PictureException(string message, Exception? inner = null) : Exception(message, inner);
