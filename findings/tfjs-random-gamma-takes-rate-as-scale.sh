#!/usr/bin/env bash
# npm @tensorflow/tfjs-core 4.22.0: tf.randomGamma takes its beta as the scale. One would expect the rate, as its text says ("the inverse scale
# parameter") and as TensorFlow's random.gamma has it, so that the mean is alpha / beta. The code does turn the rate into a scale when it
# starts and then divides by that scale where it should multiply, which turns it back. With the default of 1 both are the same, so
# nothing shows; with any other the samples are wrong by the square of beta, as are priors and noise that are drawn from them.
# Seen, for 200000 samples each, the mean by the documentation and of the samples:
#   alpha 2, beta 1: expected 2.0, got 2.0
#   alpha 2, beta 4: expected 0.5, got 8.0
#   alpha 3, beta 0.5: expected 6.0, got 1.5
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
for (const [alpha, beta] of [[2, 1], [2, 4], [3, 0.5]]) {
    const [mean] = tf.mean(tf.randomGamma([200000], alpha, beta, 'float32', 1)).dataSync();
    console.log(`alpha ${alpha}, beta ${beta}: expected ${(alpha / beta).toFixed(1)}, got ${mean.toFixed(1)}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
alpha 2, beta 1: expected 2.0, got 2.0
alpha 2, beta 4: expected 0.5, got 8.0
alpha 3, beta 0.5: expected 6.0, got 1.5
X
