#!/usr/bin/env bash
# npm onnxruntime-node 1.30.0 (CPU): one NaN among the numbers can make TopK miss nearly all of the largest ones. One would expect NaN first and
# then the largest numbers, as from PyTorch's topk, or the largest numbers alone. But comparisons with NaN are all false, so the heap that
# holds the best so far falls out of order, and numbers that are larger than all in it do not get in. Whether it happens depends on the place
# of the NaN and on the method that is chosen by the sizes. In a sparse autoencoder's encoder TopK is the activation: one bad number, as an
# overflow in half precision leaves, changes all of the features that are shown as active. ArgMax points at the NaN wherever it is.
# Seen, for the numbers from 0 to 99, one of them replaced by NaN:
#   without: TopK 99 98 97, ArgMax at 99
#   NaN in place 0: TopK 2 1 NaN, ArgMax at 0
#   NaN in place 1: TopK NaN 99 98, ArgMax at 1
#   NaN in place 50: TopK 99 98 97, ArgMax at 50
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
const value = (name, elemType, length) => ({ name, type: { tensorType: { elemType, shape: { dim: [{ dimValue: length }] } } } });
const session = await ort.InferenceSession.create(ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ version: 18 }],
    graph: {
        name: 'find',
        node: [{ opType: 'TopK', input: ['x', 'k'], output: ['largest', 'places'] }, { opType: 'ArgMax', input: ['x'], output: ['place'] }],
        initializer: [{ name: 'k', dataType: 7, dims: [1], int64Data: [3] }],
        input: [value('x', 1, 100)],
        output: [value('largest', 1, 3), value('place', 7, 1)],
    },
}).finish());
for (const hole of [undefined, 0, 1, 50]) {
    const x = new ort.Tensor('float32', Array.from({ length: 100 }, (_, i) => i === hole ? NaN : i), [100]);
    const { largest, place } = await session.run({ x });
    const name = hole === undefined ? 'without' : `NaN in place ${hole}`;
    console.log(`${name}: TopK ${largest.data.join(' ')}, ArgMax at ${place.data[0]}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
without: TopK 99 98 97, ArgMax at 99
NaN in place 0: TopK 2 1 NaN, ArgMax at 0
NaN in place 1: TopK NaN 99 98, ArgMax at 1
NaN in place 50: TopK 99 98 97, ArgMax at 50
X
