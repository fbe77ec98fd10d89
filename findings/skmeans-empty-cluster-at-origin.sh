#!/usr/bin/env bash
# npm skmeans 0.11.3: a cluster that no point belongs to gets its centroid at the origin, and the caller's own starting centroids are
# overwritten. One would expect the centroid to stay, or to move to a far point as in scikit-learn, for the mean of no points is undefined and
# the documentation says nothing of it. But the code divides 0 by 0 and takes 0 for what is not a number. Nothing is at the origin where all
# values are far from it, so the cluster stays empty until the end, and the result is one of fewer clusters, without an error. A list of
# centroids that is meant for several runs holds the first run's result after it.
# Seen, for the points 10 10, 10 12, 20 20 and 20 22 and starting centroids at 9 9, 21 21 and 100 100:
#   points of each cluster: 2 2 0
#   centroids: 10 11, 20 21, 0 0
#   the list that was given: 10 11, 20 21, 0 0
#   npm ml-kmeans 7.0.1: 10 11, 20 21, 100 100
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact skmeans@0.11.3 ml-kmeans@7.0.1
cat >find.mjs <<'X'
import { kmeans } from 'ml-kmeans';
import skmeans from 'skmeans';
const points = [[10, 10], [10, 12], [20, 20], [20, 22]];
const start = () => [[9, 9], [21, 21], [100, 100]];
const show = rows => rows.map(row => row.map(value => +value.toFixed(2)).join(' ')).join(', ');
const given = start();
const { idxs, centroids } = skmeans(points, 3, given);
console.log(`points of each cluster: ${[0, 1, 2].map(cluster => idxs.filter(own => own === cluster).length).join(' ')}`);
console.log(`centroids: ${show(centroids)}`);
console.log(`the list that was given: ${show(given)}`);
console.log(`npm ml-kmeans 7.0.1: ${show(kmeans(points, 3, { initialization: start() }).centroids)}`);
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
points of each cluster: 2 2 0
centroids: 10 11, 20 21, 0 0
the list that was given: 10 11, 20 21, 0 0
npm ml-kmeans 7.0.1: 10 11, 20 21, 100 100
X
