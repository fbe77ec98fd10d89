#!/usr/bin/env bash
# npm jstat 1.9.6: jStat.percentile never gives anything between the two largest values; it gives the smaller of them. One would expect the
# straight line between them, as it draws between all others, as the definition has it that its code follows up to there (Excel's
# PERCENTILE.INC, NumPy's default), and as jStat.quantiles gives with the parameters 1 and 1 of that definition. The code looks one place
# too far when it checks whether there is a next value. So the median of two values is the smaller one, and a high percentile of a short
# list (a threshold for the strongest of some activations) is too low, often by far, as the largest value tends to stand apart.
# Seen, by the definition, by jStat.quantiles, by npm mathjs 15.2.0 and by jStat.percentile:
#   0.5 of 1 2: 1.5, quantiles 1.5, math.js 1.5, percentile 1
#   0.5 of 1 2 3 4: 2.5, quantiles 2.5, math.js 2.5, percentile 2.5
#   0.9 of 1 2 3 9: 7.2, quantiles 7.2, math.js 7.2, percentile 3
#   1 of 1 2 3 9: 9, quantiles 9, math.js 9, percentile 9
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact jstat@1.9.6 mathjs@15.2.0
cat >find.mjs <<'X'
import jstat from 'jstat';
import { quantileSeq } from 'mathjs';
const { jStat } = jstat;
const show = value => +value.toFixed(6);
for (const [values, share] of [[[1, 2], .5], [[1, 2, 3, 4], .5], [[1, 2, 3, 9], .9], [[1, 2, 3, 9], 1]]) {
    const place = share * (values.length - 1), left = values[Math.floor(place)], right = values[Math.ceil(place)];
    const line = left + (right - left) * (place - Math.floor(place));
    console.log(`${share} of ${values.join(' ')}: ${show(line)}, quantiles ${show(jStat.quantiles(values, [share], 1, 1)[0])}, `
        + `math.js ${show(quantileSeq(values, share))}, percentile ${show(jStat.percentile(values, share))}`);
}
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
0.5 of 1 2: 1.5, quantiles 1.5, math.js 1.5, percentile 1
0.5 of 1 2 3 4: 2.5, quantiles 2.5, math.js 2.5, percentile 2.5
0.9 of 1 2 3 9: 7.2, quantiles 7.2, math.js 7.2, percentile 3
1 of 1 2 3 9: 9, quantiles 9, math.js 9, percentile 9
X
