using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

/// <summary>What autoencoders take from the tensor library, where its .NET form is known to differ from PyTorch's or could.</summary>
public class LibraryTests
{
    [Fact]
    public void OfFlat_PositionsBeyondFloatPrecision_AreExact()
    {
        using var scope = NewDisposeScope();
        // A division whose rounding mode is left out gives fractions, one by way of floats the wrong row.
        long[] positions = [0, 4999, 5000, 16_777_217, 3_000_000_007, 9_007_199_254_740_993];
        using var entries = ActiveEntries.OfFlat(tensor(positions), ones([positions.Length]), 1, 5000);

        Assert.Equal(positions.Select(position => position / 5000), entries.Rows.data<long>().ToArray());
        Assert.Equal(positions.Select(position => position % 5000), entries.Columns.data<long>().ToArray());
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(0x8000_0001UL)]
    [InlineData(ulong.MaxValue)]
    public void Start_AnySeed_DrawsItsOwnWeights(ulong seed)
    {
        using var scope = NewDisposeScope();
        var options = new TrainingOptions { Features = 8, K = 2, AuxK = 4, BatchSize = 16 };
        var sample = SyntheticData.Make(16, 4, 6, 1);
        using var first = SaeTrainer.Start(options, sample, seed);
        _ = rand([100]);
        using var second = SaeTrainer.Start(options, sample, seed);
        using var other = SaeTrainer.Start(options, sample, seed ^ 5);

        TensorAssert.Same(first.Sae.EncoderWeight, second.Sae.EncoderWeight);
        Assert.NotEqual(first.Sae.EncoderWeight.Floats(), other.Sae.EncoderWeight.Floats());
    }

    [Fact]
    public void ExplainedVariance_Halves_EqualsThatOfFloat32()
    {
        using var scope = NewDisposeScope();
        var x = SyntheticData.Make(200, 5, 6, 2).to(ScalarType.BFloat16);
        var reconstruction = x.Times(.5);

        Assert.Equal(ExplainedVariance.PerChannel(reconstruction.to(ScalarType.Float32), x.to(ScalarType.Float32)),
            ExplainedVariance.PerChannel(reconstruction, x));
        Assert.Equal(ExplainedVariance.Pooled(reconstruction.to(ScalarType.Float32), x.to(ScalarType.Float32)),
            ExplainedVariance.Pooled(reconstruction, x));
    }

    [Fact]
    public unsafe void Floats_OfATensor_IsItsOwnMemory()
    {
        using var scope = NewDisposeScope();
        var matrix = zeros([3, 4]);

        TensorMemory.Floats(matrix)[7] = 2;
        TensorMemory.Floats(matrix[2])[0] = 3;

        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0, 0], matrix.Floats());
        Assert.True(TensorMemory.Floats(zeros([0, 4])) is null);
    }

    [Fact]
    public unsafe void Floats_OfATensorInAnotherOrderOrType_IsRefused()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentException>(() => Address(zeros([3, 4]).t()));
        Assert.Throws<ArgumentException>(() => Address(zeros([3, 4], dtype: ScalarType.Float64)));

        static nint Address(Tensor tensor) => (nint)TensorMemory.Floats(tensor);
    }
}
