#!/usr/bin/env bash
# npm @huggingface/transformers 4.3.2 (Transformers.js): Tensor.norm and Tensor.normalize leave out the absolute value. One would expect the
# root of the sum of |x|^p, as from PyTorch, which its method names and arguments follow, since a norm is never negative. But the code adds
# the bare powers: for p 1 the norm is the sum, signs and all (and Tensor.sum is built on it), and for p 3 it may be the root of something
# negative. So normalize(1) of a row that adds up to a negative number flips every sign. The usual p 2 is right.
# Seen, for the row -1 2 -3, by the formula and by Transformers.js:
#   p 1: norm 6.000 and -2.000, normalized -0.167 0.333 -0.500 and 0.500 -1.000 1.500
#   p 2: norm 3.742 and 3.742, normalized -0.267 0.535 -0.802 and -0.267 0.535 -0.802
#   p 3: norm 3.302 and NaN, normalized -0.303 0.606 -0.909 and NaN NaN NaN
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact @huggingface/transformers@4.3.2
cat >find.mjs <<'X'
import { Tensor } from '@huggingface/transformers';
const row = [-1, 2, -3];
const show = values => Array.from(values, value => value.toFixed(3)).join(' ');
for (const p of [1, 2, 3]) {
    const norm = row.reduce((sum, x) => sum + Math.abs(x) ** p, 0) ** (1 / p);
    const own = new Tensor('float32', row, [1, 3]);
    console.log(`p ${p}: norm ${show([norm])} and ${show(own.norm(p).data)}, `
        + `normalized ${show(row.map(x => x / norm))} and ${show(own.normalize(p, 1).data)}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
p 1: norm 6.000 and -2.000, normalized -0.167 0.333 -0.500 and 0.500 -1.000 1.500
p 2: norm 3.742 and 3.742, normalized -0.267 0.535 -0.802 and -0.267 0.535 -0.802
p 3: norm 3.302 and NaN, normalized -0.303 0.606 -0.909 and NaN NaN NaN
X
