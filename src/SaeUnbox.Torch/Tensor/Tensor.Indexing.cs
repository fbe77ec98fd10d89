using System.Runtime.CompilerServices;
using TorchSharp.Interop;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>One step into the first dimensions, a view; or sets it.</summary>
        [IndexerName("TensorItems")]
        public Tensor this[params long[] indices]
        {
            get => indices.Aggregate(this, (tensor, index) => tensor.select(0, index));
            set => this[indices].copy_(value);
        }

        /// <summary>Slices, single indices, ellipsis, new axes; a view unless a tensor is among them.</summary>
        [IndexerName("TensorItems")]
        public Tensor this[params TensorIndex[] indices]
        {
            get => index(indices);
            set => index(indices).copy_(value);
        }

        public Tensor index(params TensorIndex[] indices) => TensorIndex.Apply(this, indices);

        public Tensor index(params Tensor[] indices) => Aten.index_Tensor.Call(this, Argument.Optional(indices));

        public Tensor index_put_(Tensor value, params Tensor[] indices) => index_put_(value, indices, false);

        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false) =>
            Aten.index_put_.CallInPlace(this, Argument.Optional(indices), value, accumulate);

        public Tensor index_select(long dim, Tensor index) => Aten.index_select.Call(this, dim, index);

        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) => Aten.index_add.Call(this, dim, index, source, alpha);

        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) => Aten.index_add_.CallInPlace(this, dim, index, source, alpha);

        public Tensor index_copy_(long dim, Tensor index, Tensor source) => Aten.index_copy_.CallInPlace(this, dim, index, source);

        public Tensor gather(long dim, Tensor index) => Aten.gather.Call(this, dim, index);

        public Tensor scatter(long dim, Tensor index, Tensor src) => Aten.scatter_src.Call(this, dim, index, src);

        public Tensor scatter_(long dim, Tensor index, Tensor src) => Aten.scatter__src.CallInPlace(this, dim, index, src);

        public Tensor scatter_add(long dim, Tensor index, Tensor src) => Aten.scatter_add.Call(this, dim, index, src);

        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => Aten.scatter_add_.CallInPlace(this, dim, index, src);

        public Tensor masked_fill(Tensor mask, Scalar value) => Aten.masked_fill_Scalar.Call(this, mask, value);

        public Tensor masked_fill_(Tensor mask, Scalar value) => Aten.masked_fill__Scalar.CallInPlace(this, mask, value);

        public Tensor masked_select(Tensor mask) => Aten.masked_select.Call(this, mask);

        public Tensor nonzero() => Aten.nonzero.Call(this);

        public Tensor where(Tensor condition, Tensor y) => Aten.where_self.Call(condition, this, y);
    }

    /// <summary>One position of an index expression.</summary>
    public struct TensorIndex
    {
        private enum Kind
        {
            Slice,
            Single,
            Ellipsis,
            None,
            Tensor,
        }

        private Kind kind;
        private long? start;
        private long? stop;
        private long? step;
        private Tensor? tensor;

        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null) =>
            new() { kind = Kind.Slice, start = start, stop = stop, step = step };

        public static TensorIndex Slice(Range range) => Slice(
            range.Start.IsFromEnd ? -range.Start.Value : range.Start.Value,
            range.End.IsFromEnd ? (range.End.Value == 0 ? null : -range.End.Value) : range.End.Value);

        public static TensorIndex Single(long? index) => new() { kind = Kind.Single, start = index };

        public static TensorIndex Tensor(Tensor tensor) => new() { kind = Kind.Tensor, tensor = tensor };

        public static TensorIndex Ellipsis = new() { kind = Kind.Ellipsis };

        public static TensorIndex None = new() { kind = Kind.None };

        public static TensorIndex Colon = Slice();

        public static implicit operator TensorIndex(long value) => Single(value);

        public static implicit operator TensorIndex(Range range) => Slice(range);

        internal static Tensor Apply(Tensor source, TensorIndex[] indices)
        {
            var fixedDimensions = indices.Count(index => index.kind is not (Kind.Ellipsis or Kind.None));
            var dim = 0L;
            var tensors = new List<Tensor?>();
            foreach (var index in indices)
            {
                switch (index.kind)
                {
                    case Kind.Single:
                        source = source.select(dim, index.start!.Value);
                        break;
                    case Kind.Slice:
                        source = source.slice(dim++, index.start ?? 0, index.stop ?? long.MaxValue, index.step ?? 1);
                        break;
                    case Kind.None:
                        source = source.unsqueeze(dim++);
                        break;
                    case Kind.Ellipsis:
                        dim += source.ndim - dim - (fixedDimensions - Consumed(indices));
                        break;
                    case Kind.Tensor:
                        while (tensors.Count < dim) tensors.Add(null);
                        tensors.Add(index.tensor);
                        dim++;
                        break;
                }
            }
            return tensors.Count == 0 ? source : Aten.index_Tensor.Call(source, Argument.Optional([.. tensors]));
        }

        // How many dimensions the positions before the ellipsis have used.
        private static int Consumed(TensorIndex[] indices) =>
            indices.TakeWhile(index => index.kind != Kind.Ellipsis).Count(index => index.kind != Kind.None);
    }
}
