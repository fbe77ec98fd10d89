#!/usr/bin/env bash
# npm image-ssim 0.2.0: the similarity of two pictures is NaN when width and height both leave a remainder of 1 by the window's size, 8 unless
# told otherwise. One would expect 1 for a picture beside itself, which the definition of SSIM gives for any picture, and as for all
# other sizes. The code lays windows side by side and lets the last of a row or a column be smaller. The one in the corner then is a single
# pixel, whose variance it divides by 0 pixels less than one; one window that is not a number makes the mean of all of them so.
# Sizes of 2^n + 1, as 65 and 513, and 225 are among them. The edge's small windows also count as much as whole ones.
# Seen, for a picture beside itself:
#   64x64: 1
#   65x64: 1
#   65x65: NaN
#   66x66: 1
#   225x513: NaN
#   65x65 with a window of 11: 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact image-ssim@0.2.0
cat >find.mjs <<'X'
import ssim from 'image-ssim';
const compare = (width, height, ...rest) => {
    const picture = { data: Uint8Array.from({ length: width * height }, (_, i) => i * 37 % 251), width, height, channels: 1 };
    return +ssim.compare(picture, picture, ...rest).ssim.toFixed(6);
};
for (const [width, height] of [[64, 64], [65, 64], [65, 65], [66, 66], [225, 513]])
    console.log(`${width}x${height}: ${compare(width, height)}`);
console.log(`65x65 with a window of 11: ${compare(65, 65, 11)}`);
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
64x64: 1
65x64: 1
65x65: NaN
66x66: 1
225x513: NaN
65x65 with a window of 11: 1
X
