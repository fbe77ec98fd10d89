namespace SaeUnbox.Models;

/// <summary>A checkpoint cannot be read, written or does not fit its model: one clear sentence that names the file and what is wrong.</summary>
public sealed class CheckpointException(string message, Exception? inner = null) : Exception(message, inner);
