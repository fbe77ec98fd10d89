namespace SaeUnbox.Models;

/// <summary>
/// A model folder, configuration or request is not usable. The message is one sentence that says what is wrong and where.
/// </summary>
public sealed class ModelException(string message, Exception? inner = null) : Exception(message, inner);
