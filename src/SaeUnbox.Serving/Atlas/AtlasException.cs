namespace SaeUnbox.Serving;

/// <summary>An atlas cannot be read or written; the message names the file and what is wrong, in one sentence.</summary>
public sealed class AtlasException(string message, Exception? inner = null) : Exception(message, inner);
