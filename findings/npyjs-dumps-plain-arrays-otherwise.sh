#!/usr/bin/env bash
# npm npyjs 1.2.0: dump writes other numbers than it is given when they come in a plain array and no type is named. One would expect what
# NumPy makes of the same list: float64 for decimals, which every number of JavaScript is, and rows as rows. The README says no more than that
# the type is inferred. But the code takes float32 for any decimals below 3.4e38, so digits go and small numbers turn into 0. For rows it
# infers a type from the first one (its own types list rows there), and then turns each row into one number, which is 0. There is no error,
# and the header still tells the shape that was asked for, so the file holds fewer numbers than it says.
# Seen, for what is given and what is read back:
#   [0.1,16777217.5,1e-50]: f4, [3], 0.10000000149011612 16777218 0
#   Float64Array of the same: f8, [3], 0.1 16777217.5 1e-50
#   [[1,2],[3,4]]: u1, [2,2], 0 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact npyjs@1.2.0
cat >find.mjs <<'X'
import { dump, parse } from 'npyjs';
const numbers = [0.1, 16777217.5, 1e-50];
const rows = [[1, 2], [3, 4]];
const show = (name, array, shape) => {
    const back = parse(dump(array, shape));
    console.log(`${name}: ${back.dtype}, ${JSON.stringify(back.shape)}, ${back.data.join(' ')}`);
};
show(JSON.stringify(numbers), numbers, [3]);
show('Float64Array of the same', Float64Array.from(numbers), [3]);
show(JSON.stringify(rows), rows, [2, 2]);
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
[0.1,16777217.5,1e-50]: f4, [3], 0.10000000149011612 16777218 0
Float64Array of the same: f8, [3], 0.1 16777217.5 1e-50
[[1,2],[3,4]]: u1, [2,2], 0 0
X
