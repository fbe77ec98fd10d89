#!/usr/bin/env bash
# npm onnxruntime-node 1.30.0 (CPU): MeanVarianceNormalization of a channel whose values are all the same is NaN. One would expect 0. The text
# of the operator names no divisor of 0, but the specification also defines it by a list of simpler operators, in which the divisor is the
# deviation plus 1e-9. Runtimes may run that list, as this one does for other operators, and it gives 0. But the kernel here divides by
# the deviation alone. InstanceNormalization, the same for a single picture but for a larger epsilon, gives 0. A flat channel is nothing odd: a
# black border, a drawing without blue. The next convolution then spreads the NaN to all other channels.
# Seen, for channels of four values each:
#   channel 1 2 3 4: MeanVarianceNormalization -1.342 -0.447 0.447 1.342, InstanceNormalization -1.342 -0.447 0.447 1.342
#   channel 2 2 2 2: MeanVarianceNormalization NaN NaN NaN NaN, InstanceNormalization 0.000 0.000 0.000 0.000
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
const session = (opType, ...rest) => ort.InferenceSession.create(ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ version: 18 }],
    graph: {
        name: 'find',
        node: [{ opType, input: ['x', ...rest], output: ['y'] }],
        initializer: rest.map(one),
        input: [value('x', [1, 1, 2, 2])],
        output: [value('y', [1, 1, 2, 2])],
    },
}).finish());
const own = await session('MeanVarianceNormalization');
const instance = await session('InstanceNormalization', 'scale', 'bias');
for (const channel of [[1, 2, 3, 4], [2, 2, 2, 2]]) {
    const x = new ort.Tensor('float32', channel, [1, 1, 2, 2]);
    const show = async session => Array.from((await session.run({ x })).y.data, number => number.toFixed(3)).join(' ');
    console.log(`channel ${channel.join(' ')}: MeanVarianceNormalization ${await show(own)}, InstanceNormalization ${await show(instance)}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
channel 1 2 3 4: MeanVarianceNormalization -1.342 -0.447 0.447 1.342, InstanceNormalization -1.342 -0.447 0.447 1.342
channel 2 2 2 2: MeanVarianceNormalization NaN NaN NaN NaN, InstanceNormalization 0.000 0.000 0.000 0.000
X
