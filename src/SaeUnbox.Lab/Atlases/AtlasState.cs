using System.Security.Cryptography;
using System.Text;

namespace SaeUnbox.Lab;

/// <summary>How far an atlas is: after a stop, or with more captions, it goes on from here.</summary>
internal sealed class AtlasState
{
    private const int Layout = 3;
    private readonly string _path, _key;
    private readonly IReadOnlyList<Caption> _captions;

    /// <param name="folder">The atlas's folder.</param>
    public AtlasState(string folder, LoadedModel model, AtlasRequest request)
    {
        (_path, _captions) = (Path.Combine(folder, "building.state"), request.Captions);
        Tallies = [.. model.Info.Sites.Select(sae => new FeatureTally(sae.Site, sae.Features, request.TopPictures))];
        _key = Hash([model.Fingerprint, $"{model.Dtype} {model.Vae}", $"{request.TopPictures} {request.PictureSide}", .. model.Saes.Select(sae => $"{sae.Key} {SaeLoader.FingerprintOf(sae.Value.Source)}")]);
    }

    public IReadOnlyList<FeatureTally> Tallies { get; }

    /// <summary>Captions that were run.</summary>
    public int Done { get; set; }

    /// <summary>Small JPEGs of the captions whose pictures are kept.</summary>
    public Dictionary<int, SmallPicture> Pictures { get; } = [];

    public void Save()
    {
        var kept = Tallies.SelectMany(tally => tally.Kept).ToHashSet();
        foreach (var caption in Pictures.Keys.Where(caption => !kept.Contains(caption)).ToArray())
            Pictures.Remove(caption);
        AtomicFile.Write(_path, stream =>
        {
            using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            writer.Write(Layout);
            writer.Write(_key);
            writer.Write(Done);
            writer.Write(HashOfCaptions(Done));
            foreach (var tally in Tallies)
                tally.Write(writer);
            writer.Write(Pictures.Count);
            foreach (var (caption, picture) in Pictures)
            {
                writer.Write(caption);
                writer.Write(picture.Width);
                writer.Write(picture.Height);
                writer.Write(picture.Jpeg.Length);
                writer.Write(picture.Jpeg);
            }
        });
    }

    /// <summary>Takes up what an earlier run left, where its captions are the first of these.</summary>
    /// <exception cref="AtlasException">It is of another model, other options or other captions, or broken.</exception>
    public void Restore()
    {
        if (!File.Exists(_path))
            return;
        try
        {
            using var reader = new BinaryReader(File.OpenRead(_path));
            if (reader.ReadInt32() != Layout || reader.ReadString() != _key)
                throw new AtlasException($"'{_path}' is of another model, other autoencoders or other options; give another folder, or delete it to make the atlas from the start.");
            var done = reader.ReadInt32();
            if (reader.ReadString() is var seen && (done > _captions.Count || seen != HashOfCaptions(done)))
                throw new AtlasException($"'{_path}' holds {done} captions that are not the first of these; give another folder, or delete it to make the atlas from the start.");
            foreach (var tally in Tallies)
                tally.Read(reader);
            for (var left = reader.ReadInt32(); left > 0; left--)
            {
                var (caption, width, height, length) = (reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32());
                var jpeg = reader.ReadBytes((int)Math.Min(length, reader.BaseStream.Length));
                Pictures[caption] = jpeg.Length == length ? new(width, height, jpeg) : throw new EndOfStreamException();
            }
            Done = done;
        }
        catch (Exception exception) when (exception is EndOfStreamException or Core.RecipeException or ArgumentException)
        {
            throw new AtlasException($"'{_path}' is broken; delete it, and the atlas is made from the start.", exception);
        }
    }

    private string HashOfCaptions(int count) => Hash(_captions.Take(count).Select(caption => $"{caption.Seed} {caption.Text}"));

    private static string Hash(IEnumerable<string> lines) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', lines))));
}
