#!/usr/bin/env bash
# npm density-clustering 1.3.0: DBSCAN leaves points in its list of noise that are in a cluster as well, and leaves out neighbours that are just
# as far away as the radius. One would expect noise to be what is in no cluster, and a neighbourhood to take in its border, as in the paper
# that defines DBSCAN and in scikit-learn. A point at the edge of a cluster that comes before the cluster's middle is first taken for noise.
# The code adds it to the cluster later and does not take it from the list. So the share of noise, by which a radius is often chosen, depends
# on the order of the points. Distances of whole numbers, as between rows of zeros and ones, often equal the radius.
# Seen, for the numbers 0 1 2 3 4 10 with 3 points to a neighbourhood:
#   in this order, radius 1.5: cluster 0 1 2 3 4, noise 0 10
#   middle first, radius 1.5: cluster 0 1 2 3 4, noise 10
#   in this order, radius 1: cluster none, noise 0 1 2 3 4 10
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact density-clustering@1.3.0
cat >find.mjs <<'X'
import clustering from 'density-clustering';
const find = (name, numbers, radius) => {
    const dbscan = new clustering.DBSCAN();
    const clusters = dbscan.run(numbers.map(number => [number]), radius, 3);
    const show = places => places.map(place => numbers[place]).sort((a, b) => a - b).join(' ');
    console.log(`${name}, radius ${radius}: cluster ${clusters.map(show).join(' and ') || 'none'}, noise ${show(dbscan.noise)}`);
};
find('in this order', [0, 1, 2, 3, 4, 10], 1.5);
find('middle first', [2, 0, 1, 3, 4, 10], 1.5);
find('in this order', [0, 1, 2, 3, 4, 10], 1);
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
in this order, radius 1.5: cluster 0 1 2 3 4, noise 0 10
middle first, radius 1.5: cluster 0 1 2 3 4, noise 10
in this order, radius 1: cluster none, noise 0 1 2 3 4 10
X
