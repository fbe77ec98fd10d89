#!/usr/bin/env bash
# npm ml-distance 5.0.0: the distances between distributions are NaN as soon as one of them has a zero, and several others as soon as both have
# one in the same place. One would expect the limit, 0 for 0 log 0 and for 0 / 0 of equal values, as SciPy's jensenshannon, entropy and canberra
# give it and as the definitions have it (Kullback and Leibler's goes over the places where the first has mass); the README names no such
# limit. But the code multiplies 0 by the logarithm of 0 and divides 0 by 0. Histograms and the activations of sparse features consist of
# zeros for the most part, so nearly every pair is NaN, which sorts anywhere in a list of neighbours.
# Seen, for 0.5 0.5 0 and 0.25 0.75 0, and by the formulas over the two places that are not 0:
#   jensenShannon: NaN, formula 0.034
#   kullbackLeibler: NaN, formula 0.144
#   canberra: NaN, formula 0.533
#   clark: NaN, formula 0.389
#   squared: NaN, formula 0.133
#   waveHedges: NaN, formula 0.833
#   soergel: 0.400, formula 0.400
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact ml-distance@5.0.0
cat >find.mjs <<'X'
import { distance } from 'ml-distance';
const [one, other] = [[0.5, 0.5, 0], [0.25, 0.75, 0]];
const places = one.map((x, i) => [x, other[i]]).filter(([x, y]) => x + y > 0);
const sum = term => places.reduce((total, [x, y]) => total + term(x, y), 0);
const formulas = {
    jensenShannon: sum((x, y) => x * Math.log(2 * x / (x + y)) + y * Math.log(2 * y / (x + y))) / 2,
    kullbackLeibler: sum((x, y) => x * Math.log(x / y)),
    canberra: sum((x, y) => Math.abs(x - y) / (x + y)),
    clark: Math.sqrt(sum((x, y) => ((x - y) / (x + y)) ** 2)),
    squared: sum((x, y) => (x - y) ** 2 / (x + y)),
    waveHedges: sum((x, y) => 1 - Math.min(x, y) / Math.max(x, y)),
    soergel: sum((x, y) => Math.abs(x - y)) / sum(Math.max),
};
for (const [name, formula] of Object.entries(formulas))
    console.log(`${name}: ${distance[name](one, other).toFixed(3)}, formula ${formula.toFixed(3)}`);
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
jensenShannon: NaN, formula 0.034
kullbackLeibler: NaN, formula 0.144
canberra: NaN, formula 0.533
clark: NaN, formula 0.389
squared: NaN, formula 0.133
waveHedges: NaN, formula 0.833
soergel: 0.400, formula 0.400
X
