namespace SaeUnbox.Web.Sharing;

/// <summary>Recipes under short addresses. Every call throws <see cref="ShareStoreException"/> where the store does not answer.</summary>
public interface IShareStore
{
    /// <summary>Keeps a recipe; equal recipes have one address.</summary>
    /// <returns>An id of 22 characters (128 random bits).</returns>
    /// <exception cref="RecipeException">The recipe is not valid.</exception>
    Task<string> SaveAsync(Recipe recipe, CancellationToken cancellation = default);

    /// <summary>The recipe of an id; null where there is none, or no longer.</summary>
    Task<Recipe?> FindAsync(string id, CancellationToken cancellation = default);

    /// <summary>The picture of an id's card; null where none was made yet.</summary>
    Task<byte[]?> FindPictureAsync(string id, CancellationToken cancellation = default);

    Task SavePictureAsync(string id, byte[] picture, CancellationToken cancellation = default);
}

/// <summary>The store of shared recipes does not answer.</summary>
public sealed class ShareStoreException(Exception inner) : Exception("The store of short links cannot be used right now; try again in a moment.", inner);
