namespace SaeUnbox.Steering;

/// <summary>A sparse autoencoder, its files or a request to it cannot be used; the message is one sentence for the user.</summary>
public sealed class SaeException : Exception
{
    public SaeException(string message)
        : base(message)
    {
    }

    public SaeException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
