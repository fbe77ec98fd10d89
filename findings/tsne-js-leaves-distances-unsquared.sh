#!/usr/bin/env bash
# npm tsne-js 1.0.3: t-SNE weighs neighbours by exp(-d b) with the Euclidean distance d. One would expect exp(-d^2 b), the Gaussian around each
# point that the paper defines t-SNE by and that scikit-learn computes, whose names for the steps this code uses; there the Euclidean distances
# come squared. Here they come as they are, so that the weights fall off as a plain exponential. The perplexity fits all the same, as b is
# searched for. But near neighbours lose weight to far ones, and a picture is not comparable with another program's at the same perplexity.
# Seen, for points on a line at 0 1 3 6 10 and a perplexity of 2, the weight of the first point's pair with another by that of its pair with
# the second, by the formula with squares, by the formula without them and by tsne-js:
#   point at 3: squared 0.313, plain 0.233, tsne-js 0.233
#   point at 6: squared 0.018, plain 0.032, tsne-js 0.032
#   point at 10: squared 0.012, plain 0.020, tsne-js 0.020
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact tsne-js@1.0.3
cat >find.mjs <<'X'
import TSNE from 'tsne-js';
const [points, perplexity] = [[0, 1, 3, 6, 10], 2];
const pairs = power => {
    const rows = points.map(own => {
        let [low, high] = [0, 1e4]; // The width for which the weights have the entropy of that many equal ones.
        let row;
        for (let step = 0; step < 200; step++) {
            const width = (low + high) / 2;
            row = points.map(other => other === own ? 0 : Math.exp(-(Math.abs(other - own) ** power) * width));
            const whole = row.reduce((sum, x) => sum + x);
            row = row.map(x => x / whole);
            const entropy = row.reduce((sum, x) => sum - (x > 0 ? x * Math.log(x) : 0), 0);
            [low, high] = entropy > Math.log(perplexity) ? [width, high] : [low, width];
        }
        return row;
    });
    return (i, j) => rows[i][j] + rows[j][i];
};
const [squared, plain] = [pairs(2), pairs(1)];
const model = new TSNE({ perplexity, nIter: 200 });
model.init({ data: points.map(point => [point]), type: 'dense' });
model.run();
const own = (i, j) => model.P.get(i, j);
for (let i = 2; i < points.length; i++) {
    const show = weight => (weight(0, i) / weight(0, 1)).toFixed(3);
    console.log(`point at ${points[i]}: squared ${show(squared)}, plain ${show(plain)}, tsne-js ${show(own)}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
point at 3: squared 0.313, plain 0.233, tsne-js 0.233
point at 6: squared 0.018, plain 0.032, tsne-js 0.032
point at 10: squared 0.012, plain 0.020, tsne-js 0.020
X
