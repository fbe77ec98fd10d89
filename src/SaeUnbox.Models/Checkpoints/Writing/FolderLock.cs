namespace SaeUnbox.Models;

/// <summary>Keeps other runs out of a folder that one is filling; a run that dies lets go of it.</summary>
public static class FolderLock
{
    /// <param name="folder">There already.</param>
    /// <returns>Held until disposed.</returns>
    /// <exception cref="CheckpointException">Another run holds it, or the folder cannot be written.</exception>
    public static IDisposable Take(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new CheckpointException($"The folder '{folder}' cannot be written: {exception.Message}", exception);
        }
        catch (IOException exception)
        {
            throw new CheckpointException($"Another run is under way in '{folder}'; wait for it, or choose another folder.", exception);
        }
    }
}
