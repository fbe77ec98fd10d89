using TorchSharp.Interop;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharp.Tests;

public class AutogradTests
{
    [Fact]
    public void Backward_Polynomial_GivesItsDerivative()
    {
        using var scope = NewDisposeScope();
        var x = tensor([1f, 2, 3], requires_grad: true);
        (x * x * x).sum().backward();
        Assert.Equal([3f, 12, 27], x.grad!.data<float>().ToArray());
        x.grad = null;
        Assert.Null(x.grad);
    }

    [Fact]
    public void Backward_ConvolutionNormAttention_AgreesWithFiniteDifferences()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var weight = randn([4, 2, 3, 3], float64);
        var x = randn([1, 2, 4, 4], float64, requires_grad: true);
        Tensor Loss(Tensor input)
        {
            var h = nn.functional.conv2d(input, weight, padding: [1]);
            h = nn.functional.silu(nn.functional.group_norm(h, 2));
            var tokens = h.flatten(2).transpose(1, 2).unsqueeze(1);
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens).pow(2).sum();
        }
        var gradient = autograd.grad([Loss(x)], [x])[0];
        const double step = 1e-5;
        foreach (var (c, i, j) in new[] { (0L, 0L, 0L), (1, 2, 3), (0, 3, 1) })
        {
            var bump = zeros_like(x);
            bump[0, c, i, j] = tensor(step);
            var slope = (Loss(x.detach() + bump).item<double>() - Loss(x.detach() - bump).item<double>()) / (2 * step);
            Assert.Equal(slope, gradient[0, c, i, j].item<double>(), 1e-4);
        }
    }

    [Fact]
    public void Backward_ErrorInIt_NamesOperationAndShapes()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (ones([2, 3], requires_grad: true), ones([4, 5], requires_grad: true));
        var notScalar = Assert.Throws<NativeOperationException>((x * 2).backward);
        Assert.Equal("backward", notScalar.Operation);
        Assert.Contains("[2x3]", notScalar.Message);
        var apart = Assert.Throws<NativeOperationException>(() => autograd.grad([x.sum()], [y]));
        Assert.Equal("autograd.grad", apart.Operation);
        Assert.Contains("[4x5]", apart.Message);
    }

    [Fact]
    public void NoGrad_Scope_RecordsNothingAndComesOff()
    {
        using var scope = NewDisposeScope();
        var x = ones([1], requires_grad: true);
        using (no_grad())
        {
            Assert.False(is_grad_enabled());
            Assert.False((x * 2).requires_grad);
            using (enable_grad()) Assert.True((x * 2).requires_grad);
            Assert.False(is_grad_enabled());
        }
        Assert.True(is_grad_enabled());
        using (inference_mode()) Assert.True(is_inference_mode_enabled());
        Assert.False(is_inference_mode_enabled());
    }

    [Fact]
    public void Parameter_TakesOverTheHandle()
    {
        using var scope = NewDisposeScope();
        var data = ones(2);
        var parameter = new Parameter(data);
        Assert.True(data.IsInvalid);
        Assert.True(parameter.requires_grad && parameter.is_leaf);
        Assert.True(scope.Contains(parameter));
    }

    [Theory]
    [InlineData(false, 0.0)]
    [InlineData(false, 0.1)]
    [InlineData(true, 0.1)]
    public void Step_Adam_FollowsThePublishedFormula(bool decoupled, double decay)
    {
        using var scope = NewDisposeScope();
        const double lr = 0.05, beta1 = 0.9, beta2 = 0.99, eps = 1e-8;
        var parameter = new Parameter(tensor([1.0, -2.0]));
        using var optimizer = decoupled
            ? optim.AdamW([parameter], lr, beta1, beta2, eps, decay)
            : optim.Adam([parameter], lr, beta1, beta2, eps, decay);
        double[] x = [1, -2], m = [0, 0], v = [0, 0];
        for (var t = 1; t <= 5; t++)
        {
            optimizer.zero_grad();
            parameter.pow(4).sum().backward();
            optimizer.step();
            for (var i = 0; i < 2; i++)
            {
                var g = 4 * Math.Pow(x[i], 3) + (decoupled ? 0 : decay * x[i]);
                if (decoupled) x[i] *= 1 - lr * decay;
                m[i] = beta1 * m[i] + (1 - beta1) * g;
                v[i] = beta2 * v[i] + (1 - beta2) * g * g;
                x[i] -= lr * (m[i] / (1 - Math.Pow(beta1, t))) / (Math.Sqrt(v[i] / (1 - Math.Pow(beta2, t))) + eps);
            }
            Assert.Equal(x[0], parameter[0].item<double>(), 1e-10);
            Assert.Equal(x[1], parameter[1].item<double>(), 1e-10);
        }
    }
}
