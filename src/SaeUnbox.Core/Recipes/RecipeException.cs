namespace SaeUnbox.Core;

/// <summary>What is wrong with one field of a recipe.</summary>
/// <param name="Field">The field's path as in the JSON, such as <c>edits[2].strength</c>.</param>
/// <param name="Message">What is wrong and what is allowed.</param>
public sealed record RecipeError(string Field, string Message)
{
    public override string ToString() => $"{Field}: {Message}";
}

/// <summary>A recipe, or a part of one, that cannot be used; the message names every field at fault.</summary>
public sealed class RecipeException : Exception
{
    public RecipeException(IReadOnlyList<RecipeError> errors, Exception? inner = null)
        : base(string.Join("; ", errors), inner) => Errors = errors;

    public RecipeException(string field, string message, Exception? inner = null)
        : this([new RecipeError(field, message)], inner)
    {
    }

    public IReadOnlyList<RecipeError> Errors { get; }
}
