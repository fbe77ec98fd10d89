#!/usr/bin/env bash
# npm numpy-parser 1.2.3, a reader of .npy files: an array of one dimension comes back as a column. One would expect the shape [3] for NumPy's
# (3,), as npm npyjs 1.2.0 gives, since the file says so, since a column of three is the different shape (3, 1), and since the README names no
# such change. But to make JSON of Python's tuple the code puts a 1 after the comma at its end. Biases, labels and lists of scores are such
# arrays. Added to rows of three numbers, a vector is added to each row; a column makes a table of 3 x 3 under NumPy's broadcasting rules.
# Seen, for a file's shape, as numpy-parser and as npyjs give it:
#   (3,): [3,1] and [3]
#   (3, 1): [3,1] and [3,1]
#   (1, 3): [1,3] and [1,3]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact numpy-parser@1.2.3 npyjs@1.2.0
cat >find.mjs <<'X'
import { parse } from 'npyjs';
import { fromArrayBuffer } from 'numpy-parser';
const file = shape => {
    const header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117) + '\n';
    const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0]);
    return new Uint8Array([...start, ...Buffer.from(header), ...new Uint8Array(Float32Array.of(1, 2, 3).buffer)]).buffer;
};
for (const shape of ['(3,)', '(3, 1)', '(1, 3)'])
    console.log(`${shape}: ${JSON.stringify(fromArrayBuffer(file(shape)).shape)} and ${JSON.stringify(parse(file(shape)).shape)}`);
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
(3,): [3,1] and [3]
(3, 1): [3,1] and [3,1]
(1, 3): [1,3] and [1,3]
X
