#!/usr/bin/env bash
# npm float16 0.0.1, which encodes numbers in half precision: what is too large for the format comes back as NaN or as a small number of the
# other sign. One would expect infinity, as IEEE 754 has it for rounding to nearest and as npm @petamoriken/float16 3.9.3 and NumPy give. But
# the code puts whatever exponent it finds into the bits and checks no limit: from 65536 on it fills the exponent's five bits, which is NaN
# with any fraction beside it, and from 131072 on it runs over into the sign. Just above the largest number it does give infinity. Activations
# inside a model in half precision reach such values, and a minus sign on a small one is far harder to notice than infinity.
# Seen, for a number, by this package and by @petamoriken/float16:
#   65504: 65504 and 65504
#   65520: Infinity and Infinity
#   70000: NaN and Infinity
#   100000: NaN and Infinity
#   200000: -0.00003212690353393555 and Infinity
#   -1000000: 0.00023281574249267578 and -Infinity
#   10000000000: -84.0625 and Infinity
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact float16@0.0.1 @petamoriken/float16@3.9.3
cat >find.mjs <<'X'
import { f16round } from '@petamoriken/float16';
import half from 'float16';
for (const value of [65504, 65520, 70000, 100000, 200000, -1000000, 1e10])
    console.log(`${value}: ${half.byteToFloat16(half.float16ToByte(value))} and ${f16round(value)}`);
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
65504: 65504 and 65504
65520: Infinity and Infinity
70000: NaN and Infinity
100000: NaN and Infinity
200000: -0.00003212690353393555 and Infinity
-1000000: 0.00023281574249267578 and -Infinity
10000000000: -84.0625 and Infinity
X
