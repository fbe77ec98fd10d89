#!/usr/bin/env bash
# npm onnxruntime-node 1.30.0 (CPU): GroupNormalization of numbers whose mean is large beside their spread is wrong, up to hundreds of times too
# large. One would expect the formula in its text, (x - mean) / sqrt(variance + epsilon), as from PyTorch's group_norm, which is exported
# to this operator, and as InstanceNormalization here gives, which is the same for a group of one channel. But the operator has no kernel of its
# own here. It is run as the specification's list of simpler operators, which takes the variance as the mean of the squares less the square of
# the mean. In single precision the two cancel: what is left is a rounding step or two, or 0, so that epsilon alone is below the fraction.
# There is no error. Feature maps of image models do have channels far from 0. Seen for m 10000: -474 where -1.342 is right.
# Seen, for the numbers m, m + 1, m + 2 and m + 3, whether the first one's result is within 0.01 of the formula's, -1.342 for any m:
#   m 0: InstanceNormalization right, GroupNormalization right
#   m 100: InstanceNormalization right, GroupNormalization right
#   m 10000: InstanceNormalization right, GroupNormalization wrong
#   m 100000: InstanceNormalization right, GroupNormalization wrong
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact onnxruntime-node@1.30.0 onnx-proto@8.0.1
cat >find.mjs <<'X'
import onnxProto from 'onnx-proto';
import ort from 'onnxruntime-node';
const { ModelProto } = onnxProto.onnx;
const value = (name, dims) => ({ name, type: { tensorType: { elemType: 1, shape: { dim: dims.map(dimValue => ({ dimValue })) } } } });
const one = name => ({ name, dataType: 1, dims: [1], floatData: [name === 'scale' ? 1 : 0] });
const session = (opType, ...attribute) => ort.InferenceSession.create(ModelProto.encode({
    irVersion: 10,
    opsetImport: [{ version: 21 }],
    graph: {
        name: 'find',
        node: [{ opType, input: ['x', 'scale', 'bias'], output: ['y'], attribute }],
        initializer: [one('scale'), one('bias')],
        input: [value('x', [1, 1, 4])],
        output: [value('y', [1, 1, 4])],
    },
}).finish());
const instance = await session('InstanceNormalization');
const group = await session('GroupNormalization', { name: 'num_groups', type: 2, i: 1 });
for (const mean of [0, 100, 10000, 100000]) {
    const x = new ort.Tensor('float32', [0, 1, 2, 3].map(step => mean + step), [1, 1, 4]);
    const judge = async own => Math.abs((await own.run({ x })).y.data[0] + 1.5 / Math.sqrt(1.25)) < 0.01 ? 'right' : 'wrong';
    console.log(`m ${mean}: InstanceNormalization ${await judge(instance)}, GroupNormalization ${await judge(group)}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
m 0: InstanceNormalization right, GroupNormalization right
m 100: InstanceNormalization right, GroupNormalization right
m 10000: InstanceNormalization right, GroupNormalization wrong
m 100000: InstanceNormalization right, GroupNormalization wrong
X
