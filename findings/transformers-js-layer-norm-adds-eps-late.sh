#!/usr/bin/env bash
# npm @huggingface/transformers 4.3.2 (Transformers.js): the exported layer_norm divides by the standard deviation plus eps. One would expect
# the root of variance plus eps, as in PyTorch, whose documentation gives that formula, and in ONNX's LayerNormalization, which runs here
# on the onnxruntime-node that Transformers.js brings along. With the usual eps of 1e-5 the two agree as long as the variance is large. But a
# row as small as 1e-3 comes out 3.3 times as large as a model expects, and a row of 1e-5, which ought to stay next to nothing, half as
# large as any other.
# Seen, for rows of x and -x, each as the formula gives it, as ONNX does and as Transformers.js does:
#   x 1: formula 1.000, ONNX 1.000, Transformers.js 1.000
#   x 0.01: formula 0.953, ONNX 0.953, Transformers.js 0.999
#   x 0.001: formula 0.302, ONNX 0.302, Transformers.js 0.990
#   x 0.00001: formula 0.003, ONNX 0.003, Transformers.js 0.500
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact @huggingface/transformers@4.3.2 onnx-proto@8.0.1
cat >find.mjs <<'X'
import { createRequire } from 'node:module';
import { layer_norm, Tensor } from '@huggingface/transformers';
import proto from 'onnx-proto';
const ort = createRequire(createRequire(import.meta.url).resolve('@huggingface/transformers'))('onnxruntime-node');
const eps = 1e-5;
const type = shape => ({ tensorType: { elemType: 1, shape: { dim: shape.map(size => ({ dimValue: size })) } } });
const model = proto.onnx.ModelProto.encode({
    irVersion: 8, opsetImport: [{ domain: '', version: 17 }],
    graph: {
        name: 'norm', input: [{ name: 'x', type: type([1, 2]) }], output: [{ name: 'y', type: type([1, 2]) }],
        initializer: [{ name: 'scale', dims: [2], dataType: 1, floatData: [1, 1] }],
        node: [{
            opType: 'LayerNormalization', input: ['x', 'scale'], output: ['y'],
            attribute: [{ name: 'epsilon', type: 1, f: eps }] }] } }).finish();
const session = await ort.InferenceSession.create(model);
for (const [text, x] of [['1', 1], ['0.01', 1e-2], ['0.001', 1e-3], ['0.00001', 1e-5]]) {
    const row = Float32Array.of(x, -x);
    const formula = x / Math.sqrt(x * x + eps);
    const { y } = await session.run({ x: new ort.Tensor('float32', row, [1, 2]) });
    const own = layer_norm(new Tensor('float32', row, [1, 2]), [2], { eps });
    console.log(`x ${text}: formula ${formula.toFixed(3)}, ONNX ${y.data[0].toFixed(3)}, Transformers.js ${own.data[0].toFixed(3)}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
x 1: formula 1.000, ONNX 1.000, Transformers.js 1.000
x 0.01: formula 0.953, ONNX 0.953, Transformers.js 0.999
x 0.001: formula 0.302, ONNX 0.302, Transformers.js 0.990
x 0.00001: formula 0.003, ONNX 0.003, Transformers.js 0.500
X
