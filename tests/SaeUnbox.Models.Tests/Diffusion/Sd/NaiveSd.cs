using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>
/// The U-Net of Stable Diffusion and its samplers for one picture, written out in float64 from their formulas: what the pipeline is held
/// against.
/// </summary>
internal sealed class NaiveSd
{
    private const int Levels = 4, Layers = 2, Groups = 8, Train = 1000;

    private readonly Dictionary<string, Tensor> _weights;
    private readonly int[] _heads;

    /// <param name="heads">Of each level.</param>
    public NaiveSd(string folder, params int[] heads)
    {
        _heads = heads;
        using var checkpoint = Checkpoint.OpenFolder(Path.Combine(folder, "unet"));
        _weights = checkpoint.Entries.Keys.ToDictionary(name => name, name => checkpoint.Read(name).to_type(float64));
    }

    /// <summary>Denoises with classifier-free guidance.</summary>
    /// <param name="sampler">DDIM, PNDM or Euler.</param>
    /// <param name="start">Standard normal noise, [1, 4, h, w].</param>
    /// <param name="texts">The unconditional text and the text, each [1, T, D]; or the text alone.</param>
    public Tensor Run(string sampler, bool velocity, int steps, Tensor start, double guidance, params Tensor[] texts)
    {
        var alphas = new double[Train];
        for (var (t, product) = (0, 1d); t < Train; t++)
        {
            var root = Math.Sqrt(.00085) + t / (Train - 1d) * (Math.Sqrt(.012) - Math.Sqrt(.00085));
            alphas[t] = product *= 1 - root * root;
        }

        var x = start.to_type(float64);
        return sampler switch { "Euler" => Euler(), "DDIM" => Ddim(), _ => Pndm() };

        Tensor Output(Tensor at, double t)
        {
            var outputs = texts.Select(text => Predict(at, t, text.to_type(float64))).ToArray();
            return outputs.Length == 1 ? outputs[0] : outputs[0].Plus((outputs[1] - outputs[0]).Times(guidance));
        }

        // Where the latents are sqrt(a) clean + sqrt(1 - a) noise, the velocity is sqrt(a) noise - sqrt(1 - a) clean.
        Tensor NoiseIn(Tensor at, Tensor output, double a) => velocity
            ? output.Times(Math.Sqrt(a)).Plus(at.Times(Math.Sqrt(1 - a)))
            : output;

        // Both samplers step along the same curve; t below 0 counts as timestep 0.
        Tensor Along(Tensor at, Tensor noise, int from, int to)
        {
            var (a, b) = (alphas[from], alphas[Math.Max(to, 0)]);
            var clean = (at - noise.Times(Math.Sqrt(1 - a))).Over(Math.Sqrt(a));
            return clean.Times(Math.Sqrt(b)).Plus(noise.Times(Math.Sqrt(1 - b)));
        }

        Tensor Ddim()
        {
            var stride = Train / steps;
            for (var i = steps - 1; i >= 0; i--)
            {
                var t = i * stride + 1;
                x = Along(x, NoiseIn(x, Output(x, t), alphas[t]), t, t - stride);
            }

            return x;
        }

        // One pass more than steps: the second repeats the first step with the mean of both predictions.
        Tensor Pndm()
        {
            var stride = Train / steps;
            var first = (steps - 1) * stride + 1;
            var history = new List<Tensor>();
            var beginning = x;
            for (var pass = 0; pass < (steps == 1 ? 1 : steps + 1); pass++)
            {
                var t = pass == 0 ? first : first - (pass == 1 ? 1 : pass - 1) * stride;
                var output = Output(x, t);
                if (pass == 1)
                {
                    x = Along(beginning, NoiseIn(beginning, history[0].Plus(output).Over(2), alphas[first]), first, t);
                    continue;
                }

                history.Insert(0, output);
                double[] shares = history.Count switch
                {
                    1 => [1],
                    2 => [1.5, -.5],
                    3 => [23 / 12d, -16 / 12d, 5 / 12d],
                    _ => [55 / 24d, -59 / 24d, 37 / 24d, -9 / 24d],
                };
                var mixed = history.Zip(shares, (one, share) => one.Times(share)).Aggregate((sum, part) => sum.Plus(part));
                x = Along(x, NoiseIn(x, mixed, alphas[t]), t, t - stride);
            }

            return x;
        }

        Tensor Euler()
        {
            var times = Enumerable.Range(0, steps).Select(i => (int)Math.Round(Train - i * (double)Train / steps) - 1).ToArray();
            double[] sigmas = [.. times.Select(t => Math.Sqrt((1 - alphas[t]) / alphas[t])), 0];
            x = x.Times(sigmas[0]);
            for (var i = 0; i < steps; i++)
            {
                var scale = Math.Sqrt(sigmas[i] * sigmas[i] + 1);
                var scaled = x.Over(scale);
                x = x.Plus(NoiseIn(scaled, Output(scaled, times[i]), 1 / (scale * scale)).Times(sigmas[i + 1] - sigmas[i]));
            }

            return x;
        }
    }

    /// <summary>One pass of the U-Net.</summary>
    public Tensor Predict(Tensor x, double timestep, Tensor text)
    {
        var width = _weights["time_embedding.linear_1.weight"].shape[1];
        var half = Enumerable.Range(0, (int)width / 2).Select(i => timestep * Math.Pow(10000, -2d * i / width)).ToArray();
        var sinusoid = tensor([.. half.Select(Math.Cos), .. half.Select(Math.Sin)]).unsqueeze(0);
        var time = Silu(Linear(Silu(Linear(sinusoid, "time_embedding.linear_1")), "time_embedding.linear_2"));

        var hidden = Convolve(x, "conv_in");
        var skips = new Stack<Tensor>([hidden]);
        for (var level = 0; level < Levels; level++)
        {
            for (var layer = 0; layer < Layers; layer++)
            {
                hidden = Residual(hidden, time, $"down_blocks.{level}.resnets.{layer}");
                if (level < Levels - 1)
                    hidden = Transform(hidden, text, $"down_blocks.{level}.attentions.{layer}", _heads[level]);
                skips.Push(hidden);
            }

            if (level < Levels - 1)
                skips.Push(hidden = Convolve(hidden, $"down_blocks.{level}.downsamplers.0.conv", stride: 2));
        }

        hidden = Residual(hidden, time, "mid_block.resnets.0");
        hidden = Transform(hidden, text, "mid_block.attentions.0", _heads[^1]);
        hidden = Residual(hidden, time, "mid_block.resnets.1");
        for (var block = 0; block < Levels; block++)
        {
            for (var layer = 0; layer <= Layers; layer++)
            {
                hidden = Residual(cat([hidden, skips.Pop()], 1), time, $"up_blocks.{block}.resnets.{layer}");
                if (block > 0)
                    hidden = Transform(hidden, text, $"up_blocks.{block}.attentions.{layer}", _heads[Levels - 1 - block]);
            }

            if (block < Levels - 1)
                hidden = Convolve(
                    hidden.repeat_interleave(2, 2).repeat_interleave(2, 3), $"up_blocks.{block}.upsamplers.0.conv");
        }

        return Convolve(Silu(Norm(hidden, "conv_norm_out", 1e-5)), "conv_out");
    }

    private Tensor Residual(Tensor x, Tensor time, string path)
    {
        var hidden = Convolve(Silu(Norm(x, $"{path}.norm1", 1e-5)), $"{path}.conv1");
        hidden = hidden.Plus(Linear(time, $"{path}.time_emb_proj").unsqueeze(-1).unsqueeze(-1));
        hidden = Convolve(Silu(Norm(hidden, $"{path}.norm2", 1e-5)), $"{path}.conv2");
        return hidden.Plus(_weights.ContainsKey($"{path}.conv_shortcut.weight") ? Convolve(x, $"{path}.conv_shortcut") : x);
    }

    private Tensor Transform(Tensor x, Tensor text, string path, int heads)
    {
        var isConvolution = _weights[$"{path}.proj_in.weight"].dim() == 4;
        var normal = Norm(x, $"{path}.norm", 1e-6);
        var rows = isConvolution ? Rows(Convolve(normal, $"{path}.proj_in")) : Linear(Rows(normal), $"{path}.proj_in");
        var block = $"{path}.transformer_blocks.0";
        var inner = LayerNorm(rows, $"{block}.norm1");
        rows = rows.Plus(Attend(inner, inner, $"{block}.attn1", heads));
        rows = rows.Plus(Attend(LayerNorm(rows, $"{block}.norm2"), text, $"{block}.attn2", heads));
        var parts = Linear(LayerNorm(rows, $"{block}.norm3"), $"{block}.ff.net.0.proj").chunk(2, -1);
        // gelu(x) = x (1 + erf(x / sqrt(2))) / 2
        var gate = parts[1] * parts[1].Over(Math.Sqrt(2)).erf().Plus(1).Over(2);
        rows = rows.Plus(Linear(parts[0] * gate, $"{block}.ff.net.2"));
        return x.Plus(isConvolution
            ? Convolve(Image(rows), $"{path}.proj_out")
            : Image(Linear(rows, $"{path}.proj_out")));

        Tensor Rows(Tensor image) => image.flatten(2).transpose(1, 2);

        Tensor Image(Tensor flat) => flat.transpose(1, 2).reshape(x.shape);
    }

    private Tensor Attend(Tensor rows, Tensor to, string path, int heads)
    {
        var (query, key, value) = (Linear(rows, $"{path}.to_q"), Linear(to, $"{path}.to_k"), Linear(to, $"{path}.to_v"));
        var width = query.shape[2] / heads;
        var seen = Enumerable.Range(0, heads).Select(head =>
        {
            var (q, k, v) = (Head(query), Head(key), Head(value));
            var scores = q.matmul(k.transpose(1, 2)).Over(Math.Sqrt(width)).exp();
            return (scores / scores.sum(-1, keepdim: true)).matmul(v);

            Tensor Head(Tensor all) => all.narrow(2, head * width, width);
        });
        return Linear(cat([.. seen], -1), $"{path}.to_out.0");
    }

    private Tensor Norm(Tensor x, string path, double epsilon)
    {
        var groups = x.reshape(1, Groups, -1);
        var centred = groups - groups.mean([2], keepdim: true);
        var normal = (centred / (centred * centred).mean([2], keepdim: true).Plus(epsilon).sqrt()).reshape(x.shape);
        return (normal * _weights[$"{path}.weight"].view(1, -1, 1, 1)).Plus(_weights[$"{path}.bias"].view(1, -1, 1, 1));
    }

    private Tensor LayerNorm(Tensor rows, string path)
    {
        var centred = rows - rows.mean([-1], keepdim: true);
        var normal = centred / (centred * centred).mean([-1], keepdim: true).Plus(1e-5).sqrt();
        return (normal * _weights[$"{path}.weight"]).Plus(_weights[$"{path}.bias"]);
    }

    private Tensor Convolve(Tensor x, string path, int stride = 1)
    {
        var weight = _weights[$"{path}.weight"];
        var padding = weight.shape[2] / 2;
        return nn.functional.conv2d(
            x, weight, _weights[$"{path}.bias"], strides: [stride, stride], padding: [padding, padding]);
    }

    private Tensor Linear(Tensor x, string path)
    {
        var product = x.matmul(_weights[$"{path}.weight"].t());
        return _weights.TryGetValue($"{path}.bias", out var bias) ? product.Plus(bias) : product;
    }

    private static Tensor Silu(Tensor x) => x / x.neg().exp().Plus(1);
}
