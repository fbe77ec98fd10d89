namespace SaeUnbox.Models;

/// <summary>A model folder, a configuration or a request that cannot be used: one sentence that names what and where.</summary>
public sealed class ModelException : Exception
{
    public ModelException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}
