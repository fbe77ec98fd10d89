#!/usr/bin/env bash
# npm ml-pca 4.1.1: with the method NIPALS, which is for finding the first components alone, getExplainedVariance divides by the variance of
# the components asked for. One would expect shares of the whole variance of the data, as from its other two methods and from any other PCA,
# for the option chooses how components are computed, and the documentation names no other meaning. But one component "explains" all of it
# whatever the data; two share it out. Also, getEigenvalues gives sums of squares: as many times the variance as there are rows less one,
# and getStandardDeviations the root of that. The components themselves are the same.
# Seen, for six rows of three values:
#   the variances of the columns add up to 16.400
#   SVD: explained 0.553 0.327 0.120, eigenvalues 9.071 5.359 1.970
#   covarianceMatrix: explained 0.553 0.327 0.120, eigenvalues 9.071 5.359 1.970
#   NIPALS, 1: explained 1.000, eigenvalues 45.355
#   NIPALS, 2: explained 0.629 0.371, eigenvalues 45.355 26.793
#   NIPALS, 3: explained 0.553 0.327 0.120, eigenvalues 45.355 26.793 9.852
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact ml-pca@4.1.1
cat >find.mjs <<'X'
import { PCA } from 'ml-pca';
const rows = [[2, 1, 0], [-3, 2, 1], [4, -1, 1], [-1, 3, -2], [1, -2, 2], [-3, -3, -2]];
const show = values => values.map(value => value.toFixed(3)).join(' ');
const squares = rows.flat().reduce((sum, x) => sum + x * x, 0); // Each column adds up to 0.
console.log(`the variances of the columns add up to ${show([squares / (rows.length - 1)])}`);
for (const [method, count] of [['SVD'], ['covarianceMatrix'], ['NIPALS', 1], ['NIPALS', 2], ['NIPALS', 3]]) {
    const pca = new PCA(rows, { method, nCompNIPALS: count });
    const name = [method, count].filter(Boolean).join(', ');
    console.log(`${name}: explained ${show(pca.getExplainedVariance())}, eigenvalues ${show(pca.getEigenvalues())}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
the variances of the columns add up to 16.400
SVD: explained 0.553 0.327 0.120, eigenvalues 9.071 5.359 1.970
covarianceMatrix: explained 0.553 0.327 0.120, eigenvalues 9.071 5.359 1.970
NIPALS, 1: explained 1.000, eigenvalues 45.355
NIPALS, 2: explained 0.629 0.371, eigenvalues 45.355 26.793
NIPALS, 3: explained 0.553 0.327 0.120, eigenvalues 45.355 26.793 9.852
X
