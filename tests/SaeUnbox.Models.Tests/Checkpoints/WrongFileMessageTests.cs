using System.Text;
using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

/// <summary>
/// The sentence for every kind of wrong file: a damaged file "is broken"; another kind of file "cannot be read as weights", with what it is
/// and what to do.
/// </summary>
public sealed class WrongFileMessageTests : IDisposable
{
    private const string NothingRun = "nothing of it was run";

    private readonly TemporaryFolder _folder = new();

    /// <summary>Name, whether the file is damaged, and the reason.</summary>
    public static TheoryData<string, bool, string> BadFiles => new()
    {
        { "data_too_short.safetensors", true, "tensor 'b' has data_offsets [16, 24], outside its 20 bytes of data" },
        { "deep_json.safetensors", true, "its safetensors header is not the JSON object that the format requires" },
        { "dtype_mismatch.safetensors", true, "tensor 'a' of F64 and shape [2, 2] does not fit its 16 bytes" },
        { "duplicate_key.safetensors", true, "its safetensors header has 'a' twice" },
        { "duplicate_key_same.safetensors", true, "its safetensors header has 'a' twice" },
        { "empty.pt", true, "it is empty" },
        { "fraction_offset.safetensors", true, "tensor 'a' has a shape or offset that is not a whole number of 0 or more" },
        {
            "header_beyond_file.safetensors", true,
            "its safetensors header should have 1048576 bytes, but the file ends after 144; download it again"
        },
        {
            "header_length_4gib.safetensors", true,
            "its first eight bytes are not the length of a safetensors header, which has 2 to 100000000 bytes"
        },
        {
            "header_length_huge.safetensors", true,
            "its first eight bytes are not the length of a safetensors header, which has 2 to 100000000 bytes"
        },
        { "header_short_file.safetensors", true, "it has 3 bytes, too few for a safetensors file" },
        {
            "header_zero.safetensors", true,
            "its first eight bytes are not the length of a safetensors header, which has 2 to 100000000 bytes"
        },
        { "hole.safetensors", true, "tensor 'b' begins at byte 20 of the data instead of 16: tensors overlap or leave a gap" },
        { "html.safetensors", false, "it is a web page, as a server sends in place of a file; download the file again" },
        { "json_array.safetensors", true, "its safetensors header does not begin with {" },
        { "json_broken.safetensors", true, "its safetensors header is not the JSON object that the format requires" },
        { "json_trailing.safetensors", true, "its safetensors header is not the JSON object that the format requires" },
        { "leading_space.safetensors", true, "its safetensors header does not begin with {" },
        { "metadata_not_strings.safetensors", true, "its metadata 'x' is not a string" },
        { "missing_field.safetensors", true, "tensor 'a' lacks its dtype, shape or data_offsets" },
        { "negative_offset.safetensors", true, "tensor 'a' has a shape or offset that is not a whole number of 0 or more" },
        { "negative_shape.safetensors", true, "tensor 'a' has a shape or offset that is not a whole number of 0 or more" },
        { "not_utf8.safetensors", true, "its safetensors header is not UTF-8" },
        { "offsets_reversed.safetensors", true, "tensor 'a' has data_offsets [16, 0], outside its 24 bytes of data" },
        { "overflow_shape.safetensors", true, "tensor 'a' of F32 and shape [4611686018427387904, 4, 4] does not fit its 16 bytes" },
        { "overlap.safetensors", true, "tensor 'b' begins at byte 12 of the data instead of 16: tensors overlap or leave a gap" },
        {
            "pickle_builtins_eval.pt", false,
            "its pickle imports '__builtin__.eval', which files of weights do not need; nothing of it was run"
        },
        { "pickle_deep.pt", true, "its values are nested deeper than 64 levels" },
        { "pickle_huge_string.pt", true, "its pickle is truncated or too long" },
        { "pickle_inst_opcode.pt", true, "its pickle has the opcode 0x53, which files of weights do not need" },
        { "pickle_long_size.pt", true, "its pickle has an integer of 2147483647 bytes" },
        { "pickle_memo_missing.pt", true, "its pickle recalls value 5, which was never stored" },
        { "pickle_no_stop.pt", true, "its pickle is truncated or too long" },
        { "pickle_obj_build.pt", false, "its pickle imports 'posix.system', which files of weights do not need; nothing of it was run" },
        { "pickle_stack_global.pt", false, "its pickle imports 'posix.system', which files of weights do not need; nothing of it was run" },
        { "pickle_system_raw.pt", false, "its pickle imports 'posix.system', which files of weights do not need; nothing of it was run" },
        { "pickle_system_zip.pt", false, "its pickle imports 'posix.system', which files of weights do not need; nothing of it was run" },
        { "pickle_truncated.pt", true, "its pickle is truncated or too long" },
        {
            "pickle_unknown_global.pt", false,
            "it holds a whole object of the class some_module.SomeClass, which only that class's code could rebuild; "
                + "nothing of it was run; save only its tensors, with torch.save(model.state_dict(), …), or as safetensors"
        },
        {
            "pickle_wrong_global_in_torch.pt", false,
            "its pickle imports 'torch.hub.load', which files of weights do not need; nothing of it was run"
        },
        { "sae_config_huge.json", false, "it is a configuration or another JSON, not an index of shards, which has a weight_map" },
        { "sae_config_k_too_large.json", false, "it is a configuration or another JSON, not an index of shards, which has a weight_map" },
        { "sae_config_not_json.json", true, "its index is not the JSON object that the format requires" },
        { "size_mismatch.safetensors", true, "tensor 'a' of F32 and shape [2, 3] does not fit its 16 bytes" },
        { "storage_missing.pt", true, "its storage '0' is missing" },
        { "storage_path_traversal.pt", true, "its storage '../../../etc/' is missing" },
        { "storage_too_short.pt", true, "its storage '0' should have 8 elements of F32, its record has 28 bytes" },
        { "tensor_huge_stride.pt", true, "a tensor of shape [8], strides [1073741824] and offset 0 is outside its storage of 8 elements" },
        { "tensor_negative_size.pt", true, "its pickle gives _rebuild_tensor arguments that PyTorch would not write" },
        { "tensor_offset_beyond_storage.pt", true, "a tensor of shape [8], strides [1] and offset 4 is outside its storage of 8 elements" },
        { "tensor_overflow_shape.pt", true, "a tensor of shape [4611686018427387904, 8] and strides [0, 0] overflows 64 bits" },
        { "tensor_shape_beyond_storage.pt", true, "a tensor of shape [9], strides [1] and offset 0 is outside its storage of 8 elements" },
        { "text.pt", false, "it is a git-lfs pointer, not the file itself; fetch the file with git lfs pull, or download it" },
        { "trailing_bytes.safetensors", true, "it has 8 bytes after its last tensor" },
        { "unknown_dtype.safetensors", true, "tensor 'a' has the unknown dtype 'Q7'" },
        { "zip_bad_crc.pt", true, "the checksum of its record 'archive/data/0' does not match" },
        { "zip_big_endian.pt", true, "its bytes are not in little-endian order; save it again on a little-endian machine" },
        { "zip_cut_in_directory.pt", true, "it has no zip directory at its end, so it is probably truncated; fetch it again" },
        {
            "zip_deflated_bomb.pt", true,
            "its zip directory has the compressed record 'archive/data.pkl'; PyTorch does not compress records"
        },
        {
            "zip_no_pickle.pt", false,
            "it is a zip without data.pkl (archive/readme.txt), not a PyTorch file; unpack it and name what lies in it"
        },
        { "zip_truncated.pt", true, "it has no zip directory at its end, so it is probably truncated; fetch it again" },
        { "zip_two_data_pkl.pt", true, "it is a zip with more than one data.pkl" },
    };

    [Theory, MemberData(nameof(BadFiles))]
    public void Open_BadFile_SaysWhyInOneSentence(string name, bool isDamaged, string reason)
    {
        var path = Goldens.At("badfiles", name);
        Assert.Equal(isDamaged ? $"The checkpoint '{path}' is broken: {reason}." : $"'{path}' cannot be read as weights: {reason}.",
            Error(path));
    }

    [Fact]
    public void BadFiles_Table_ListsEveryFile()
    {
        var rejected = Goldens.Json("badfiles.json").EnumerateObject()
            .Where(file => file.Value.GetProperty("expect").GetString() == "reject").Select(file => file.Name);
        Assert.Empty(rejected.Except(BadFiles.Select(row => row.Data.Item1)));
    }

    public static TheoryData<string, byte[], string> OtherKinds => new()
    {
        { "x.gguf", [.. "GGUF"u8, 3, 0, 0, 0], "it is a GGUF file, whose weights are quantised in blocks, which is not supported" },
        { "x.safetensors", [.. "Entry not found"u8], "it is a text that begins \"Entry not found\", not weights" },
        { "x.safetensors", [.. "{\"error\":\"Invalid credentials\"}"u8], "it is a text that begins \"{\"error\":\"Invalid" },
        { "x.pt", [.. "Access to model x is restricted.\nSee y"u8], "\"Access to model x is restricted.\", not weights" },
        { "x.safetensors", [.. "  \n<!DOCTYPE html><html>"u8], "it is a web page" },
        { "x.safetensors", [.. "<!doctype html>"u8], "it is a web page, as a server sends in place of a file; download" },
        { "x.bin", [.. "<Error><Code>NoSuchKey</Code></Error>"u8], "another text with tags" },
        { "x.safetensors", [.. "version https://git-lfs.github.com/spec/v1\noid sha256:0"u8], "it is a git-lfs pointer" },
        { "x.safetensors", [.. "RIFF"u8, 9, 0, 0, 0, .. "WEBPVP8 "u8], "it is a WebP picture; weights are safetensors or PyTorch files" },
        { "x.pt", [0x89, .. "PNG\r\n"u8, 0x1a, 0x0a], "it is a PNG picture" },
        { "x.pt", [0xff, 0xd8, 0xff, 0xe0], "it is a JPEG picture" },
        { "x.pt", [0x1f, 0x8b, 8, 0], "it is a gzip archive; unpack it" },
        { "x.ckpt", [.. new byte[257], .. "ustar"u8], "it is a tar archive; unpack it" },
        { "x.pt", [0x93, .. "NUMPY"u8, 1, 0], "it is a NumPy array; save it with safetensors.numpy.save_file" },
        { "x.h5", [0x89, .. "HDF\r\n"u8, 0x1a, 0x0a], "it is an HDF5 file" },
        { "x.safetensors", new byte[4096], "it begins with zeros" },
        { "x.pt", [.. "(dp0\nS'a'\n"u8], "it is a pickle of protocol 0" },
        { "x.pt", [0x80, 4, (byte)'K', 1, (byte)'.'], $"it is a bare pickle, not a PyTorch file; {NothingRun}" },
        { "x.onnx", [8, 7, 18, 7, 112, 121], "it is neither a safetensors file nor a PyTorch file" },
    };

    [Theory, MemberData(nameof(OtherKinds))]
    public void Open_FileOfAnotherKind_NamesTheKind(string name, byte[] bytes, string kind)
    {
        File.WriteAllBytes(_folder.At(name), bytes);
        var message = Error(_folder.At(name));
        Assert.StartsWith($"'{_folder.At(name)}' cannot be read as weights: ", message);
        Assert.Contains(kind, message);
        Assert.DoesNotContain("broken", message);
    }

    [Theory]
    [InlineData("numpy.core.multiarray", "scalar", "it holds NumPy values (numpy.core.multiarray.scalar)")]
    [InlineData("numpy._core.multiarray", "_reconstruct", "it holds NumPy values")]
    [InlineData("argparse", "Namespace", "it holds an argparse.Namespace, the options of a training script")]
    [InlineData("torch.nn.modules.linear", "Linear", "it holds a whole object of the class torch.nn.modules.linear.Linear")]
    [InlineData("__main__", "MyAutoencoder", "it holds a whole object of the class __main__.MyAutoencoder")]
    [InlineData("__torch__.model", "Net", "it is a TorchScript program")]
    [InlineData("omegaconf.dictconfig", "DictConfig", "a value of the class omegaconf.dictconfig.DictConfig beside the tensors")]
    [InlineData("torch", "QInt8Storage", "it holds quantised tensors")]
    [InlineData("torch._utils", "_rebuild_sparse_tensor", "it holds sparse tensors")]
    [InlineData("torch._utils", "_rebuild_nested_tensor", "it holds tensors of a kind that has no plain data")]
    [InlineData("os", "system", "its pickle imports 'os.system', which files of weights do not need")]
    public void Open_PickleWithAnotherImport_NamesIt(string module, string name, string what)
    {
        Handmade.TorchZip(_folder.At("x.pt"), [0x80, 2, .. Encoding.ASCII.GetBytes($"c{module}\n{name}\n.")]);
        var message = Error(_folder.At("x.pt"));
        Assert.Contains(what, message);
        Assert.DoesNotContain("broken", message);
        if (!module.StartsWith("torch", StringComparison.Ordinal) || name == "Linear")
            Assert.Contains(NothingRun, message);
    }

    [Theory]
    [InlineData("weights.npy", "NumPy archive")]
    [InlineData("model_index.json", "zip without data.pkl (model_index.json)")]
    public void Open_ZipOfOtherThings_NamesThem(string entry, string what)
    {
        AtomicFile.Write(_folder.At("x.pt"), stream =>
        {
            var zip = new ZipWriter(stream);
            zip.Add(entry, 1, target => target.WriteByte(1));
            zip.Finish();
        });
        Assert.Contains(what, Error(_folder.At("x.pt")));
    }

    [Fact]
    public void Open_AnyText_IsQuotedOrNamed()
    {
        for (var letter = '!'; letter <= '~'; letter++)
        {
            File.WriteAllText(_folder.At("x.safetensors"), $"{letter}ntry not found on é this server\n");
            var message = Error(_folder.At("x.safetensors"));
            Assert.Contains("download the file again", message);
            Assert.DoesNotContain("bytes", message);
        }
    }

    [Theory]
    [InlineData("Entry not found", "a text that begins \"Entry not found\"")]
    [InlineData("<!doctype html><p>", "it is a web page")]
    [InlineData("version https://git-lfs.github.com/spec/v1\n", "it is a git-lfs pointer")]
    public void Load_ConfigurationOfAnotherKind_SaysWhatItIs(string text, string what)
    {
        File.WriteAllText(_folder.At("config.json"), text);
        var message = Assert.Throws<ModelException>(() => JsonConfig.Load(_folder.At("config.json"))).Message;
        Assert.StartsWith($"{_folder.At("config.json")} is not valid JSON: ", message);
        Assert.Contains(what, message);
    }

    [Fact]
    public void Inspect_FolderWithOddParts_ListsThemAsUnknown()
    {
        ModelCopy.To(_folder.Path);
        File.WriteAllText(_folder.At("unet", "diffusion_pytorch_model.safetensors"), "Entry not found");
        File.Delete(_folder.At("text_encoder", "model.safetensors"));
        var parts = Inspection.Read(_folder.Path).Parts.ToDictionary(part => Path.GetFileName(part.Path));
        Assert.Equal((CheckpointKind.Unknown, CheckpointKind.Unknown), (parts["unet"].Kind, parts["text_encoder"].Kind));
        Assert.Contains("Entry not found", parts["unet"].Title);
        Assert.Contains("holds no weights", parts["text_encoder"].Title);
        Assert.Equal((CheckpointKind.Autoencoder, CheckpointKind.TextEncoder), (parts["vae"].Kind, parts["text_encoder_2"].Kind));
    }

    [Fact]
    public void Inspect_FolderOfFiles_ListsOthersAsUnknown()
    {
        File.WriteAllBytes(_folder.At("a.gguf"), [.. "GGUF"u8, 3, 0, 0, 0]);
        File.WriteAllText(_folder.At("b.pt"), "");
        File.Copy(Goldens.At("badfiles", "good.safetensors"), _folder.At("c.safetensors"));
        var parts = Inspection.Read(_folder.Path).Parts;
        Assert.Equal([CheckpointKind.Unknown, CheckpointKind.Unknown, CheckpointKind.Tensors], parts.Select(part => part.Kind));
        Assert.Contains("GGUF", parts[0].Title);
    }

    public void Dispose() => _folder.Dispose();

    private static string Error(string path)
    {
        var message = Assert.Throws<CheckpointException>(() =>
        {
            using var checkpoint = Checkpoint.Open(path);
            foreach (var name in checkpoint.Entries.Keys)
                checkpoint.Read(name).Dispose();
        }).Message;
        Assert.DoesNotContain('\n', message);
        Assert.EndsWith(".", message);
        return message;
    }
}
