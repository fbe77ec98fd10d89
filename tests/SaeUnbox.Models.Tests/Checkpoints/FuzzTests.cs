using System.Globalization;
using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

/// <summary>
/// Damages valid files of every format. Each must give a checkpoint or a <see cref="CheckpointException"/>, and take at most twice the file
/// plus 16 MB of memory. <c>SAEUNBOX_FUZZ_ROUNDS</c> and <c>SAEUNBOX_FUZZ_SEED</c> set the number of rounds and the seed.
/// </summary>
public sealed class FuzzTests : IDisposable
{
    private const int DefaultRounds = 400;
    private const int Fixed = 16 << 20, PerByte = 2;

    // Reading takes milliseconds, so after a minute it hangs.
    private static readonly TimeSpan Hang = TimeSpan.FromMinutes(1);

    private static readonly long[] Extremes = [
        0,
        1,
        -1,
        255,
        65535,
        int.MaxValue,
        uint.MaxValue,
        long.MaxValue,
        long.MinValue,
        1L << 40,
        1L << 62
    ];

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Containers() => ["safetensors", "zip", "pickle", "legacy", "index"];

    [Theory, MemberData(nameof(Containers))]
    public void Open_DamagedFile_IsReadOrRejectedInBoundedMemory(string container)
    {
        var seed = Setting("SAEUNBOX_FUZZ_SEED", 1);
        var random = new Random(seed);
        var (good, name, write) = Good(container);
        RequireHandled(good, name, write, mustOpen: true);
        for (var round = 0; round < Setting("SAEUNBOX_FUZZ_ROUNDS", DefaultRounds); round++)
            RequireHandled(Damaged(good[random.Next(good.Length)], random), name, write, mustOpen: false);
    }

    private (byte[][] Good, string Name, Action<string, byte[]> Write) Good(string container) => container switch
    {
        "safetensors" => ([
            Golden("badfiles", "good.safetensors"),
            Golden("badfiles", "good_metadata_and_padding.safetensors"),
            Mixed()
        ], "x.safetensors", File.WriteAllBytes),
        "zip" => ([Golden("badfiles", "good_tensor.pt"), Golden("saes_other", "probe", "state_dict.pth")], "x.pt", File.WriteAllBytes),
        // Rebuilds the zip around a damaged pickle with a valid checksum, so that the pickle is parsed.
        "pickle" =>
            ([Handmade.PickleOf(Goldens.At("badfiles", "good_tensor.pt"))], "p.pt", (path, pickle) =>
                Handmade.TorchZip(path, pickle, new byte[32])),
        "legacy" => ([
            Golden("saes_other", "mid.0_legacy", "mean.pt"),
            Golden("saes_other", "mid.0_legacy", "state_dict.pth")
        ], "l.pt", File.WriteAllBytes),
        _ => ([Index()], "model.safetensors.index.json", File.WriteAllBytes),
    };

    private static byte[] Golden(params string[] parts) => File.ReadAllBytes(Goldens.At(parts));

    private byte[] Mixed()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        SafetensorsWriter.Write(_folder.At("mixed.safetensors"), Samples.EveryType());
        return File.ReadAllBytes(_folder.At("mixed.safetensors"));
    }

    private byte[] Index()
    {
        File.WriteAllBytes(_folder.At("shard.safetensors"), Golden("badfiles", "good.safetensors"));
        using var shard = Checkpoint.Open(_folder.At("shard.safetensors"));
        var map = string.Join(',', shard.Entries.Keys.Select(name => $"\"{name}\":\"shard.safetensors\""));
        return System.Text.Encoding.UTF8.GetBytes($$$"""{"weight_map":{{{{map}}}}}""");
    }

    private void RequireHandled(byte[][] good, string name, Action<string, byte[]> write, bool mustOpen)
    {
        foreach (var bytes in good)
            RequireHandled(bytes, name, write, mustOpen);
    }

    private void RequireHandled(byte[] bytes, string name, Action<string, byte[]> write, bool mustOpen)
    {
        var path = _folder.At(name);
        write(path, bytes);
        var (error, allocated) = ((Exception?)new TimeoutException("It does not come back."), 0L);
        var reader = new Thread(() =>
        {
            error = Record.Exception(() => ReadAll(path));
            allocated = GC.GetAllocatedBytesForCurrentThread();
        })
        { IsBackground = true };
        reader.Start();
        reader.Join(Hang);
        var expected = error is null || error is CheckpointException && !mustOpen;
        if (expected && allocated < Fixed + (long)PerByte * bytes.Length)
            return;
        Assert.Fail($"{allocated} bytes allocated, {error}\nfor the file {Convert.ToBase64String(bytes)}");
    }

    private static void ReadAll(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        var total = checkpoint.Entries.Values.Sum(entry => entry.Count * entry.Element.Bits / 8);
        if (checkpoint is not ShardedCheckpoint)
            Assert.InRange(total, 0, 2 * new FileInfo(path).Length);
        foreach (var (name, entry) in checkpoint.Entries)
            if (entry.Element.ScalarType is not null)
                checkpoint.Read(name).Dispose();
    }

    private static byte[] Damaged(byte[] good, Random random)
    {
        var bytes = good.ToList();
        for (var times = random.Next(1, 4); times > 0 && bytes.Count > 8; times--)
        {
            var (at, length) = (random.Next(bytes.Count), random.Next(1, 16));
            switch (random.Next(7))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.RemoveRange(at, bytes.Count - at); break;
                case 3: bytes.RemoveRange(at, Math.Min(length, bytes.Count - at)); break;
                case 4: bytes.InsertRange(at, bytes.Skip(random.Next(bytes.Count)).Take(length).ToArray()); break;
                case 5: bytes[at] = bytes[random.Next(bytes.Count)]; break;
                default:
                    var number = BitConverter.GetBytes(Extremes[random.Next(Extremes.Length)])[..(1 << random.Next(1, 4))];
                    for (var i = 0; i < number.Length && at + i < bytes.Count; i++)
                        bytes[at + i] = number[i];
                    break;
            }
        }
        return [.. bytes];
    }

    private static int Setting(string name, int fallback) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out var value)
            ? value
            : fallback;

    public void Dispose() => _folder.Dispose();
}
