using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>Every invalid command gives one line that names the problem, and leaves no file.</summary>
public sealed class BadUseTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>
    /// Arguments, and text that the error must contain. OUT is a folder that must stay empty, FILES has broken files, GOLDENS is the
    /// goldens.
    /// </summary>
    public static TheoryData<string, string> Uses()
    {
        const string Model = "--model GOLDENS/model --threads 1";
        const string Generate = "generate " + Model + " --saes GOLDENS/saes --prompt x --width 64 --height 64 --out OUT/x.png";
        const string Bare = "generate --model GOLDENS/model --prompt x --width 64 --height 64 --out OUT/x.png";
        return new()
        {
            { "", "a command is missing" },
            { "paint", "no command 'paint'" },
            { "broker", "SaeUnbox__RabbitMq__Uri" },
            { "broker --uri amqp://a:b@127.0.0.1:1/ --requeue some", "--requeue some" },
            { "broker --uri http://a:b@127.0.0.1:1/", "not a broker address" },
            { "broker --uri amqp://a:b@127.0.0.1:1/", "Connection refused" },
            { "generate", "--out" },
            { Bare + " --guidance 7,5", "--guidance 7,5: use a number such as 7.5" },
            { "simulate --canvases 7.5", "--canvases 7.5: use whole numbers" },
            { "evaluate --model FILES/none --prompt x --out OUT/x --strengths 1;5", "--strengths 1;5: use numbers from -40 to 40" },
            { "collect --model FILES/none --captions FILES/small.png --out OUT/x", "captions are not read from .png files" },
            { "simulate --service much", "--service much: use a number such as 7.5" },
            { "generate --model GOLDENS/model --prompt x", "--out" },
            { "generate --model GOLDENS/model --out OUT/x.png", "--prompt TEXT or --recipe FILE" },
            { Generate + " --colour red", "--colour" },
            { "generate --model OUT/no --prompt x --out OUT/x.png", "OUT/no: there is no such file or folder" },
            { "generate --model FILES/empty --prompt x --out OUT/x.png", "FILES/empty' is broken: it is empty" },
            { "generate --model GOLDENS/saes --prompt x --out OUT/x.png", "model_index.json" },
            { Bare + " --saes OUT/no", "--saes OUT/no" },
            { Bare + " --saes GOLDENS/model", "no sparse autoencoder" },
            { Bare + " --vae-folder OUT/no", "--vae-folder OUT/no" },
            { Bare + " --vae-folder GOLDENS/saes", "GOLDENS/saes' holds no weights" },
            { Bare + " --scheduler GOLDENS/saes", "scheduler_config.json" },
            { Bare + " --edit mid.0:1:1", "no sparse autoencoder for mid.0" },
            { "generate --model GOLDENS/model --prompt x --out OUT", "that is a folder" },
            { "generate --model GOLDENS/model --prompt x --out OUT/no/x.png", "the folder OUT/no is missing" },
            { "generate --model FILES/none --prompt x --out /proc/x.png", "--out /proc/x.png: nothing can be written to the folder /proc" },
            { "generate --model FILES/none --prompt x --out OUT/x.png --dump /proc/x", "--dump /proc/x: nothing can be written" },
            { "icon --model FILES/none --site mid.0 --feature 0 --out /proc/x.png", "--out /proc/x.png: nothing can be written" },
            { "explore --model FILES/none --prompt x --out /proc/x", "--out /proc/x: nothing can be written" },
            { "evaluate --model FILES/none --prompt x --out /proc/x", "--out /proc/x: nothing can be written" },
            { "collect --model FILES/none --mini-captions 1 --out /proc/x", "--out /proc/x: nothing can be written" },
            { "atlas --model FILES/none --mini-captions 1 --out /proc/x", "--out /proc/x: nothing can be written" },
            { "train-mini --out /proc/x", "--out /proc/x: nothing can be written" },
            { "train-sae --data FILES --out /proc/x", "--out /proc/x: nothing can be written" },
            { "statistics --data FILES --saes FILES/none --out OUT/no/x.json", "the folder OUT/no is missing" },
            { "evaluate-mini --model FILES/none --saes FILES/none --features /proc/x", "--features /proc/x: nothing can be written" },
            { "evaluate-mini --model FILES/none --saes FILES/none --suggestions OUT", "--suggestions OUT: that is a folder" },
            { "download --out /proc/x", "--out /proc/x: nothing can be written" },
            { Generate + " --dump OUT/x.png", "--dump OUT/x.png" },
            { Generate + " --dump OUT/no/x", "the folder OUT/no is missing" },
            { Generate + " --steps 0", "steps: is 0" },
            { Generate + " --steps 1001", "steps: is 1001" },
            { Generate + " --steps 99999999999", "--steps 99999999999: use a whole number up to 2147483647" },
            { Generate + " --seed -1", "seed: is -1" },
            { Generate + " --seed 9223372036854775808", "--seed" },
            { Generate + " --guidance NaN", "--guidance NaN: use a number such as 7.5" },
            { Generate + " --guidance many", "--guidance many: use a number such as 7.5" },
            { Bare.Replace("--width 64", "--width 12"), "width: is 12" },
            { Bare.Replace("--height 64", "--height 100000"), "height: is 100000" },
            { Generate + " --dtype fp8", "--dtype fp8" },
            { "collect --mini-captions 1 --store int8 --out x", "--store int8" },
            { Generate + " --vae small", "--vae small" },
            { Generate + " --device toaster", "--device toaster" },
            { Generate + " --device meta", "--device meta" },
            { Generate + " --device cpu:1", "--device cpu:1: no such device" },
            { Generate + " --device cuda:99", "The device cuda:99 does not exist: this libtorch" },
            { "bench --runs 1 --device cuda:99", "The device cuda:99 does not exist" },
            { "bench --serving --device cuda:99", "The device cuda:99 does not exist" },
            { "bench --model GOLDENS/model --device cuda:99", "The device cuda:99 does not exist" },
            { "search dog --device cuda:99", "The device cuda:99 does not exist" },
            { "train-mini --out OUT --device cuda:99", "The device cuda:99 does not exist" },
            { "evaluate-mini --model GOLDENS/model --saes GOLDENS/saes --device cuda:99", "The device cuda:99 does not exist" },
            { Bare + " --threads 0", "--threads 0" },
            { Generate + " --edit mid.0:1:NaN", "strength 'NaN'" },
            { Generate + " --edit mid.0:1:1000", "edits[0].strength" },
            { Generate + " --edit mid.0:2147483647:1", "edits[0].feature" },
            { Generate + " --edit down.9.9:0:1", "down.9.9" },
            { Generate + " --edit mid.0:1:1#0-1000", "edits[0].lastStep" },
            { Generate + " --edit mid.0:1:1@OUT/no.png", "OUT/no.png is missing" },
            { Generate + " --edit mid.0:1:1@OUT", "is a folder" },
            { Generate + " --edit mid.0:1:1@FILES/empty", "FILES/empty" },
            { Generate + " --edit mid.0:1:1@FILES/cut.png", "FILES/cut.png cannot be read" },
            { Generate + " --edit mid.0:1:1@FILES/small.png", "it must have the image's size, 64 x 64" },
            { Generate + " --edit mid.0:1:1@FILES/bytes", "neither a picture nor a text" },
            { Generate + " --edit mid.0:1:1@FILES/ragged.json", "row 1" },
            { Generate + " --edit mid.0:1:1@[[1,2]]", "it must lie between 0 and 1" },
            { Generate + " --edit mid.0:1:1@[[1,", "not valid JSON" },
            { Generate + " --edit mid.0:1:1@[[1]]", "has 1 x 1 cells" },
            { Generate + " --ablate mid.0 --ablate mid.0", "mid.0 already has an intervention" },
            { Generate + " --ablate middle", "--ablate middle" },
            { Generate + " --ablate down.9.9", "down.9.9" },
            { Generate + " --reconstruct down.9.9", "down.9.9" },
            { Generate + " --recipe OUT/no", "OUT/no is missing" },
            { Generate + " --recipe OUT", "is a folder" },
            { Generate + " --recipe FILES/empty", "FILES/empty" },
            { Generate + " --recipe FILES/small.png", "carries no recipe" },
            { Generate + " --recipe FILES/cut.png", "FILES/cut.png" },
            { Generate + " --recipe FILES/bytes", "neither a picture nor a text" },
            { Generate + " --recipe FILES/ragged.json", "FILES/ragged.json" },
            { Generate + " --prompt LONG", "expects a single argument" },
            { Generate.Replace("--prompt x", "--prompt LONG"), "prompt: is 100000 characters long" },
            { "explore " + Model + " --prompt x --out OUT/x", "--saes" },
            { "explore " + Model + " --saes GOLDENS/saes --prompt x --out FILES/empty", "that is a file" },
            { "explore " + Model + " --saes GOLDENS/saes --prompt x --out FILES/empty/x", "FILES/empty is a file" },
            { "explore " + Model + " --saes GOLDENS/saes --prompt x --out OUT/x --top 0", "--top 0" },
            { "explore " + Model + " --saes GOLDENS/saes --prompt x --out OUT/x --steps 2 --step 2", "--step 2" },
            { "icon " + Model + " --saes GOLDENS/saes --site middle --feature 0 --out OUT/x.png", "--site middle" },
            { "icon " + Model + " --saes GOLDENS/saes --site mid.0 --feature -1 --out OUT/x.png", "feature: is -1" },
            { "icon " + Model + " --saes GOLDENS/saes --site mid.0 --feature 2147483647 --out OUT/x.png", "2147483647" },
            { "inspect", "PATH" },
            { "inspect OUT/no", "OUT/no" },
            { "inspect OUT", "OUT" },
            { "inspect FILES/empty", "FILES/empty" },
            { "inspect FILES/bytes", "FILES/bytes" },
            { "tokenize x", "--model" },
            { "tokenize x --model OUT/no", "OUT/no" },
            { "tokenize x --model GOLDENS/saes", "vocab.json" },
            { "bench", "either --model DIR or --architecture" },
            { "bench --architecture sdxl-9", "sdxl-9" },
            { "bench --model GOLDENS/model --size 100", "--size 100" },
            { "bench --model GOLDENS/model --part eyes", "--part eyes" },
            { "bench --model GOLDENS/model --processor-time", "--threads 1" },
            { "bench --model OUT/no", "OUT/no" },
            { "download", "--out" },
            { "download --out FILES/empty", "that is a file" },
            { "download --out OUT/x --host hub", "--host hub" },
            { "download --out OUT/x --repo turbo", "--repo turbo" },
            { "download --out OUT/x --repo ../..", "--repo ../.." },
            { "download --out OUT/x --host http://127.0.0.1:1", "cannot be reached" },
        };
    }

    [Theory]
    [MemberData(nameof(Uses))]
    public async Task Run_InvalidUse_IsOneLineAndLeavesNothing(string words, string expected)
    {
        var files = Directory.CreateDirectory(_folder.At("files")).FullName;
        var output = Directory.CreateDirectory(_folder.At("out")).FullName;
        File.WriteAllBytes(Path.Combine(files, "empty"), []);
        File.WriteAllBytes(Path.Combine(files, "bytes"), [0xff, 0xfe, 0x00, 0xff]);
        File.WriteAllText(Path.Combine(files, "ragged.json"), "[[0, 1], [1]]");
        var picture = Core.Png.Encode(new Core.Picture(2, 2, 3, new byte[12]));
        File.WriteAllBytes(Path.Combine(files, "small.png"), picture);
        File.WriteAllBytes(Path.Combine(files, "cut.png"), picture[..(picture.Length / 2)]);
        string Fill(string text) =>
            text.Replace("OUT", output).Replace("FILES", files).Replace("GOLDENS", Goldens.Root).Replace("LONG", new string('a', 100_000));

        var line = await Saeunbox.FailAsync([.. words.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Fill)]);

        Assert.Contains(Fill(expected), line);
        Assert.True(line.Length < 1500, $"{line.Length} characters");
        Assert.Empty(Directory.GetFileSystemEntries(output));
    }

    [Fact]
    public async Task Generate_DiskFull_SaysSo()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "this system has no /dev/full");
        var line = await Saeunbox.FailAsync([
            "generate",
            .. Saeunbox.GoldenModel,
            "--prompt",
            "x",
            "--width",
            "64",
            "--height",
            "64",
            "--out",
            _folder.At("x.png"),
            "--dump",
            "/dev/full"
        ]);
        Assert.Contains("the disk is full", line);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task Generate_AutoencoderOfAnotherWidth_NamesFileAndSite()
    {
        var target = Directory.CreateDirectory(_folder.At("saes", "unet.mid_block.attentions.0_k8_hidden24_probe", "final")).FullName;
        foreach (var file in Directory.GetFiles(Goldens.At("saes_other", "probe")))
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        var line = await Saeunbox.FailAsync("generate", "--model", Goldens.At("model"), "--saes", _folder.At("saes"), "--prompt", "x",
            "--out", _folder.At("x.png"));
        Assert.Contains("mid.0", line);
        Assert.False(File.Exists(_folder.At("x.png")));
    }

    [Fact]
    public async Task Help_OfEveryCommand_NamesItsOptions()
    {
        var root = CommandLine.Create(new Output.Terminal(TextWriter.Null, TextWriter.Null));
        foreach (var command in root.Subcommands)
        {
            var use = await Saeunbox.SucceedAsync(command.Name, "--help");
            Assert.All(command.Options.Where(option => !option.Hidden), option =>
            {
                Assert.Contains(option.Name, use.Output);
                Assert.False(string.IsNullOrWhiteSpace(option.Description), option.Name);
            });
        }
    }

    public void Dispose() => _folder.Dispose();
}
