#!/usr/bin/env bash
# npm @tensorflow/tfjs-core 4.22.0 (CPU backend): image.rotateWithOffset turns a picture around a point half a pixel off its centre. One would
# expect a half turn to reverse all pixels and a quarter turn of a square to lose none, as from TensorFlow Addons' and Pillow's rotation and
# as "rotates the image around its center" says of the default. The centre is taken as half the width, but pixels are counted from 0 at
# their own middles, where the centre is half of the width less one. So a row and a column fall out and black comes in, and the picture
# moves by a pixel; at 224 pixels that is little, at the 8 x 8 or 16 x 16 of a feature map it is a lot. A centre of (1 - 1 / width) / 2 helps.
# Seen, for the rows 1 2 3, 4 5 6 and 7 8 9:
#   half turn: 0 0 0, 0 9 8, 0 6 5
#   half turn with that centre: 9 8 7, 6 5 4, 3 2 1
#   quarter turn: 0 0 0, 3 6 9, 2 5 8
#   quarter turn with that centre: 3 6 9, 2 5 8, 1 4 7
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0
cat >find.mjs <<'X'
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
await tf.ready();
const picture = tf.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
const show = (angle, ...centre) => tf.reshape(tf.image.rotateWithOffset(picture, angle, 0, ...centre), [3, 3]).arraySync()
    .map(row => row.join(' ')).join(', ');
for (const [name, angle] of [['half turn', Math.PI], ['quarter turn', Math.PI / 2]]) {
    console.log(`${name}: ${show(angle)}`);
    console.log(`${name} with that centre: ${show(angle, (1 - 1 / 3) / 2)}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
half turn: 0 0 0, 0 9 8, 0 6 5
half turn with that centre: 9 8 7, 6 5 4, 3 2 1
quarter turn: 0 0 0, 3 6 9, 2 5 8
quarter turn with that centre: 3 6 9, 2 5 8, 1 4 7
X
