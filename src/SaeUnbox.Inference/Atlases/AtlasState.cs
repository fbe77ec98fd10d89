using System.Security.Cryptography;
using System.Text;
using SaeUnbox.Checkpoints;

namespace SaeUnbox.Inference;

/// <summary>How far an atlas is: after a stop the same request goes on from here.</summary>
internal sealed class AtlasState
{
    private const int Layout = 1;
    private readonly string _path, _key;

    /// <param name="folder">The atlas's folder.</param>
    public AtlasState(string folder, LoadedModel model, AtlasRequest request)
    {
        _path = Path.Combine(folder, "building.state");
        Tallies = [.. model.Info.Sites.Select(sae => new FeatureTally(sae.Site, sae.Features, request.TopPictures))];
        var text = string.Join('\n', [model.Info.Name, $"{request.TopPictures} {request.PictureSide}", .. model.Info.Sites.Select(sae => $"{sae.Site} {sae.Features} {sae.K}"),
            .. request.Captions.Select(caption => $"{caption.Seed} {caption.Text}")]);
        _key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }

    public IReadOnlyList<FeatureTally> Tallies { get; }

    /// <summary>Captions that were run.</summary>
    public int Done { get; set; }

    /// <summary>Small JPEGs of the captions whose pictures are kept.</summary>
    public Dictionary<int, (int Width, int Height, byte[] Jpeg)> Pictures { get; } = [];

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

    /// <summary>Takes up what an earlier run of the same request left; one of another request is left aside.</summary>
    public void Restore()
    {
        if (!File.Exists(_path))
            return;
        try
        {
            using var reader = new BinaryReader(File.OpenRead(_path));
            if (reader.ReadInt32() != Layout || reader.ReadString() != _key)
                return;
            var done = reader.ReadInt32();
            foreach (var tally in Tallies)
                tally.Read(reader);
            for (var left = reader.ReadInt32(); left > 0; left--)
            {
                var (caption, width, height, length) = (reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32());
                var jpeg = reader.ReadBytes((int)Math.Min(length, reader.BaseStream.Length));
                Pictures[caption] = jpeg.Length == length ? (width, height, jpeg) : throw new EndOfStreamException();
            }
            Done = done;
        }
        catch (Exception exception) when (exception is EndOfStreamException or Contracts.RecipeException or ArgumentException)
        {
            throw new Atlas.AtlasException($"'{_path}' is broken; delete it, and the atlas is made from the start.", exception);
        }
    }

    public void Delete() => File.Delete(_path);
}
