using System.Text;
using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

public sealed class PickleMachineTests : IDisposable
{
    private const string OneFloatTensor =
        "ctorch._utils\n_rebuild_tensor_v2\n((X\u0007\0\0\0storagectorch\nFloatStorage\nX\u0001\0\0\00X\u0003\0\0\0cpuK\u0001tQK\0";

    private readonly TemporaryFolder _folder = new();

    private TorchFile Open(string pickle, params byte[][] storages)
    {
        Handmade.TorchZip(_folder.At("x.pt"), [0x80, 2, .. Encoding.Latin1.GetBytes(pickle), (byte)'.'], storages);
        return Assert.IsType<TorchFile>(Checkpoint.Open(_folder.At("x.pt")));
    }

    private string Error(string pickle, params byte[][] storages) =>
        Assert.Throws<CheckpointException>(() => Open(pickle, storages).Dispose()).Message;

    [Theory]
    [InlineData("cos\nsystem\nX\u0004\0\0\0true\u0085R", "os.system")]
    [InlineData("cbuiltins\neval\n.", "builtins.eval")]
    [InlineData("ctorch.storage\n_load_from_bytes\n.", "torch.storage._load_from_bytes")]
    [InlineData("ctorch\nload\n.", "torch.load")]
    [InlineData("X\u0005\0\0\0posixX\u0006\0\0\0system\u0093.", "posix.system")]
    public void Open_UnknownGlobal_NamesItAndRunsNothing(string pickle, string name)
    {
        var message = Error(pickle);
        Assert.Contains(name, message);
        Assert.Contains("nothing of it was run", message);
    }

    [Theory]
    [InlineData("(K\u0001")]
    [InlineData("a")]
    [InlineData("0")]
    [InlineData("K\u0001K\u0002")]
    [InlineData("]K\u0001K\u0002s")]
    [InlineData("}(K\u0001u")]
    [InlineData("}]K\u0001s")]
    [InlineData("K\u0001K\u0002R")]
    [InlineData("]}b")]
    [InlineData("(K\u0001\u0086")]
    [InlineData("j\u0001\0\0\0")]
    [InlineData("K\u0001Q")]
    [InlineData("]q\0h\0a")]
    [InlineData("}q\0X\u0001\0\0\0ah\0s")]
    public void Open_IllFormedOrCyclic_IsRejected(string pickle) => Error(pickle);

    private const string Tensor = $"{OneFloatTensor}K\u0001\u0085K\u0001\u0085\u0089ccollections\nOrderedDict\n)RtR";
    private const string Arguments = "K\u0001\u0085K\u0001\u0085\u0089ccollections\nOrderedDict\n)Rt";

    // The storage with its offset: the arguments of a rebuilding function up to the shape.
    private static readonly string Storage = OneFloatTensor[OneFloatTensor.IndexOf('(')..];

    [Theory]
    [InlineData("ctorch._utils\n_rebuild_parameter\n(TENSOR\u0088ccollections\nOrderedDict\n)RtR")]
    [InlineData("ctorch._utils\n_rebuild_parameter_with_state\n(TENSOR\u0088ccollections\nOrderedDict\n)R}tR")]
    [InlineData("ctorch.nn.parameter\nParameter\nTENSOR\u0089\u0086R")]
    [InlineData("ctorch.nn.parameter\nParameter\nTENSOR\u0089\u0086\u0081")]
    [InlineData("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch.nn.parameter\nParameter\nARGUMENTS}tR")]
    [InlineData("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_parameter\nctorch\nTensor\n"
        + "(TENSOR\u0088ccollections\nOrderedDict\n)Rt}tR")]
    [InlineData("TENSOR}b")]
    [InlineData("TENSOR}}\u0086b")]
    public void Open_TensorAsTorchRebuildsIt_IsRead(string pickle)
    {
        using var file = Open(pickle.Replace("TENSOR", Tensor).Replace("ARGUMENTS", Storage + Arguments), [0, 0, 0x80, 0x3f]);
        using var tensor = file.Read("");
        Assert.Equal(1f, tensor[0].item<float>());
    }

    [Theory]
    [InlineData("\u008f(K\u0001K\u0002\u0090", "1 2")]
    [InlineData("c__builtin__\nset\n](K\u0001K\u0002e\u0085R", "1 2")]
    [InlineData("cbuiltins\nset\n)R", "")]
    [InlineData("cbuiltins\nfrozenset\n](K\u0003e\u0085R", "3")]
    [InlineData("ctorch\nSize\nK\u0004K\u0005\u0086\u0085R", "4 5")]
    [InlineData("cbuiltins\ncomplex\nG\u003f\u00f8\0\0\0\0\0\0G\0\0\0\0\0\0\0\0\u0086R", "1.5 0")]
    [InlineData("ctorch\nbfloat16\n\u0085", "BF16")]
    [InlineData("ctorch\ncomplex128\n\u0085", "complex128")]
    [InlineData("ctorch\ndevice\nX\u0003\0\0\0cpu\u0085R\u0085", "cpu")]
    [InlineData("c_codecs\nencode\nX\u0002\0\0\0abX\u0006\0\0\0latin1\u0086R\u0085", "ab")]
    [InlineData("ctorch.serialization\n_get_layout\nX\u000d\0\0\0torch.strided\u0085R\u0085", "torch.strided")]
    public void Open_ValuesThatWeightsOnlyAccepts_AreData(string pickle, string expected)
    {
        using var file = Open(pickle);
        Assert.Equal(expected, string.Join(' ', Assert.IsType<List<object?>>(file.Root)));
    }

    [Theory]
    [InlineData("}K\u0001K\u0009s", "1")]
    [InlineData("}G\u003f\u00f8\0\0\0\0\0\0K\u0009s", "1.5")]
    [InlineData("}\u0088K\u0009s", "True")]
    [InlineData("}NK\u0009s", "None")]
    [InlineData("}K\u0001X\u0001\0\0\0a\u0086K\u0009s", "(1, a)")]
    [InlineData("}ctorch\nfloat16\nK\u0009s", "F16")]
    [InlineData("ccollections\nOrderedDict\n](K\u0007K\u0009\u0086e\u0085R", "7")]
    [InlineData("ccollections\nCounter\n}K\u0007K\u0009s\u0085R", "7")]
    public void Open_KeyThatIsNotText_ReadsAsPythonPrintsIt(string pickle, string key)
    {
        using var file = Open(pickle);
        Assert.Equal((key, 9L), (Assert.Single(Assert.IsType<OrderedDictionary<string, object?>>(file.Root)).Key, 9L));
    }

    [Theory]
    [InlineData("}(K\u0001K\u0009X\u0001\0\0\01K\u0009u")]
    [InlineData("ccollections\nOrderedDict\n](K\u0007K\u0009\u0086K\u0007K\u0008\u0086e\u0085R")]
    public void Open_KeysThatReadAlike_AreRejected(string pickle) => Error(pickle);

    [Fact]
    public void Open_TupleKeyThatMultiplies_IsRejectedInBoundedMemory()
    {
        var pickle = new StringBuilder("}K\u0001q00");
        for (var i = 0; i < 60; i++)
            pickle.Append("h0h0\u0086q00");
        Assert.Contains("keys are not plain", Error(pickle.Append("h0K\u0009s").ToString()));
    }

    [Theory]
    [InlineData("ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nctorch\nTensor\n)}tR")]
    [InlineData("ctorch._tensor\n_rebuild_from_type_v2\nq0(h0ctorch\nTensor\n(h0ctorch\nTensor\n)}t}tR")]
    [InlineData("ctorch._tensor\n_rebuild_from_type_v2\n(ccollections\nOrderedDict\nctorch\nTensor\n)}tR")]
    [InlineData("ctorch\nTensor\n)R")]
    [InlineData("cbuiltins\nset\nK\u0001\u0085R")]
    [InlineData("cbuiltins\ncomplex\n)R")]
    [InlineData("K\u0001)b")]
    public void Open_AllowedNameMisused_IsRejected(string pickle) => Error(pickle);

    [Fact]
    public void Open_SharedPartsThatMultiply_AreRejectedQuickly()
    {
        var pickle = new StringBuilder("]");
        // Each list holds the previous one twice: 2^60 values in a few hundred bytes.
        for (var i = 0; i < 60; i++)
            pickle.Append($"q{(char)i}0](h{(char)i}h{(char)i}e");
        Assert.Contains("more than", Error(pickle.ToString()));
    }

    [Fact]
    public void Open_MillionsOfValues_AreRejectedInBoundedMemory()
    {
        const int size = 4_000_000;
        Handmade.TorchZip(_folder.At("x.pt"), Encoding.Latin1.GetBytes(new string('}', size)));
        Assert.Contains("too many values", ErrorWithin(2 * size + (16 << 20)));
    }

    [Fact]
    public void Open_TextOfManyMegabytes_IsRejectedBeforeItIsRead()
    {
        const int length = 20 << 20;
        Handmade.TorchZip(_folder.At("x.pt"), [0x80, 2, (byte)'X', .. BitConverter.GetBytes(length), .. new byte[length], (byte)'.']);
        Assert.Contains("bytes of text", ErrorWithin(2 << 20));
    }

    [Fact]
    public void Open_TextOfAGigabyteInALegacyFile_IsRejectedBeforeItIsRead()
    {
        const int magic = 15;
        using (var stream = File.Create(_folder.At("x.pt")))
        {
            stream.Write([
                .. File.ReadAllBytes(Goldens.At("saes_other", "mid.0_legacy", "mean.pt"))[..magic],
                (byte)'X',
                .. BitConverter.GetBytes(1 << 30)
            ]);
            stream.SetLength(3L << 30);
        }
        ErrorWithin(2 << 20);
    }

    private string ErrorWithin(long bytes)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var message = Assert.Throws<CheckpointException>(() => Checkpoint.Open(_folder.At("x.pt")).Dispose()).Message;
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, bytes);
        return message;
    }

    [Theory]
    [InlineData("K\u0001\u0085J\u0001\0\0\0\u0085")]
    [InlineData("))")]
    public void Open_TensorInsideItsStorage_IsAccepted(string shapeAndStrides)
    {
        using var file = Open($"{OneFloatTensor}{shapeAndStrides}\u0089ccollections\nOrderedDict\n)RtR", [0, 0, 0x80, 0x3f]);
        using var tensor = file.Read("");
        Assert.Equal(1f, tensor.reshape(-1)[0].item<float>());
    }

    [Theory]
    [InlineData("K\u0002\u0085K\u0001\u0085")]
    [InlineData("K\u0002\u0085K\0\u0085")]
    [InlineData("J\xff\xff\xff\xff\u0085K\u0001\u0085")]
    [InlineData("K\u0001\u0085J\xff\xff\xff\xff\u0085")]
    [InlineData("K\u0001\u0085)")]
    [InlineData("\u008a\u0008\0\0\0\0\0\0\0\u0040K\u0008\u0086K\0K\0\u0086")]
    [InlineData("K\u0002\u0085\u008a\u0008\xff\xff\xff\xff\xff\xff\xff\u007f\u0085")]
    public void Open_TensorOutsideItsStorage_IsRejected(string shapeAndStrides) =>
        Error($"{OneFloatTensor}{shapeAndStrides}\u0089ccollections\nOrderedDict\n)RtR", [0, 0, 0x80, 0x3f]);

    [Fact]
    public void Open_ManyViewsOfOneStorage_StayWithinTwiceTheFile()
    {
        var tensor =
            OneFloatTensor.Replace("K\u0001tQ", "M\u0000\u0004tQ")
                + "M\u0000\u0004\u0085K\u0001\u0085\u0089ccollections\nOrderedDict\n)RtR";
        var pickle = new StringBuilder($"]({tensor}q\u0001");
        for (var i = 0; i < 500; i++)
            pickle.Append("h\u0001");
        Assert.Contains("twice the file", Error(pickle.Append('e').ToString(), new byte[4096]));
    }

    [Fact]
    public void Open_UntypedStorageOfAnotherType_CountsItsElements()
    {
        const string pickle =
            "ctorch._utils\n_rebuild_tensor_v3\n((X\u0007\0\0\0storagectorch\nUntypedStorage\nX\u0001\0\0\00X\u0003\0\0\0cpuK\u0004tQK\0"
            + "K\u0002\u0085K\u0001\u0085\u0089ccollections\nOrderedDict\n)Rctorch\nuint16\ntR";
        using var file = Open(pickle, [1, 0, 2, 0]);
        Assert.Equal("U16", Assert.Single(file.Entries).Value.Element.Name);
        using var tensor = file.Read("");
        Assert.Equal([1, 2], tensor.data<int>().ToArray());
    }

    public void Dispose() => _folder.Dispose();
}
