namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public static Tensor operator +(Tensor left, Tensor right) => left.add(right);
        public static Tensor operator +(Tensor left, Scalar right) => left.add(right);
        public static Tensor operator +(Scalar left, Tensor right) => right.add(left);
        public static Tensor operator +(Tensor left, int right) => left.add(right);
        public static Tensor operator +(Tensor left, long right) => left.add(right);
        public static Tensor operator +(Tensor left, float right) => left.add(right);
        public static Tensor operator +(Tensor left, double right) => left.add(right);
        public static Tensor operator +(int left, Tensor right) => right.add(left);
        public static Tensor operator +(long left, Tensor right) => right.add(left);
        public static Tensor operator +(float left, Tensor right) => right.add(left);
        public static Tensor operator +(double left, Tensor right) => right.add(left);
        public static Tensor operator -(Tensor tensor) => tensor.neg();
        public static Tensor operator -(Tensor left, Tensor right) => left.sub(right);
        public static Tensor operator -(Tensor left, Scalar right) => left.sub(right);
        public static Tensor operator -(Scalar left, Tensor right) => right.negative().add(left);
        public static Tensor operator -(Tensor left, int right) => left.sub(right);
        public static Tensor operator -(Tensor left, long right) => left.sub(right);
        public static Tensor operator -(Tensor left, float right) => left.sub(right);
        public static Tensor operator -(Tensor left, double right) => left.sub(right);
        public static Tensor operator -(int left, Tensor right) => right.negative().add(left);
        public static Tensor operator -(long left, Tensor right) => right.negative().add(left);
        public static Tensor operator -(float left, Tensor right) => right.negative().add(left);
        public static Tensor operator -(double left, Tensor right) => right.negative().add(left);
        public static Tensor operator *(Tensor left, Tensor right) => left.mul(right);
        public static Tensor operator *(Tensor left, Scalar right) => left.mul(right);
        public static Tensor operator *(Scalar left, Tensor right) => right.mul(left);
        public static Tensor operator *(Tensor left, int right) => left.mul(right);
        public static Tensor operator *(Tensor left, long right) => left.mul(right);
        public static Tensor operator *(Tensor left, float right) => left.mul(right);
        public static Tensor operator *(Tensor left, double right) => left.mul(right);
        public static Tensor operator *(int left, Tensor right) => right.mul(left);
        public static Tensor operator *(long left, Tensor right) => right.mul(left);
        public static Tensor operator *(float left, Tensor right) => right.mul(left);
        public static Tensor operator *(double left, Tensor right) => right.mul(left);
        public static Tensor operator /(Tensor left, Tensor right) => left.div(right);
        public static Tensor operator /(Tensor left, Scalar right) => left.div(right);
        public static Tensor operator /(Scalar left, Tensor right) => right.reciprocal().mul(left);
        public static Tensor operator /(Tensor left, int right) => left.div(right);
        public static Tensor operator /(Tensor left, long right) => left.div(right);
        public static Tensor operator /(Tensor left, float right) => left.div(right);
        public static Tensor operator /(Tensor left, double right) => left.div(right);
        public static Tensor operator /(int left, Tensor right) => right.reciprocal().mul(left);
        public static Tensor operator /(long left, Tensor right) => right.reciprocal().mul(left);
        public static Tensor operator /(float left, Tensor right) => right.reciprocal().mul(left);
        public static Tensor operator /(double left, Tensor right) => right.reciprocal().mul(left);

        public Tensor eq(Tensor target) => Interop.Aten.eq_Tensor.Call(this, target);
        public Tensor eq(Scalar target) => Interop.Aten.eq_Scalar.Call(this, target);
        public Tensor ne(Tensor target) => Interop.Aten.ne_Tensor.Call(this, target);
        public Tensor ne(Scalar target) => Interop.Aten.ne_Scalar.Call(this, target);
        public Tensor lt(Tensor target) => Interop.Aten.lt_Tensor.Call(this, target);
        public Tensor lt(Scalar target) => Interop.Aten.lt_Scalar.Call(this, target);
        public Tensor le(Tensor target) => Interop.Aten.le_Tensor.Call(this, target);
        public Tensor le(Scalar target) => Interop.Aten.le_Scalar.Call(this, target);
        public Tensor gt(Tensor target) => Interop.Aten.gt_Tensor.Call(this, target);
        public Tensor gt(Scalar target) => Interop.Aten.gt_Scalar.Call(this, target);
        public Tensor ge(Tensor target) => Interop.Aten.ge_Tensor.Call(this, target);
        public Tensor ge(Scalar target) => Interop.Aten.ge_Scalar.Call(this, target);
        public Tensor isnan() => Interop.Aten.isnan.Call(this);
        public Tensor isfinite() => Interop.Aten.isfinite.Call(this);
        public Tensor logical_not() => Interop.Aten.logical_not.Call(this);
        public Tensor logical_and(Tensor other) => Interop.Aten.logical_and.Call(this, other);
        public Tensor logical_or(Tensor other) => Interop.Aten.logical_or.Call(this, other);

        /// <summary>Whether all values agree within <c>atol + rtol * |target|</c>.</summary>
        public bool allclose(Tensor target, double rtol = 1e-05, double atol = 1e-08, bool equal_nan = false) =>
            Interop.Aten.isclose.Call(this, target, rtol, atol, equal_nan).all().item<bool>();
    }
}
