#!/usr/bin/env bash
# npm @huggingface/transformers 4.3.2 (Transformers.js) in Node: RawImage.resize, which the image processors use, takes single pixels where
# a picture gets smaller by the bilinear or bicubic method (CLIP's). One would expect averages as from Pillow, with which the Python
# library's image processors resize: Transformers.js is described as functionally equivalent to that library, and a comment beside this code
# says that it matches Pillow. Pillow widens its filter by the factor and lays it around the middle of the new pixel. But the code takes an
# affine transform of libvips, which looks at one place per new pixel and maps corner to corner. So fine stripes turn into a plain colour,
# and at a factor of 4 the picture moves by 1.5 old pixels. Where a picture gets larger, its last row and column get dark.
# Seen, for Pillow's formula, for sharp's resize (also libvips) and for Transformers.js, of rows of 16 pixels:
#   stripes 255 0 to 4, bilinear: Pillow 137 128 128 118, sharp 128 128 128 128, Transformers.js 255 255 255 255
#   stripes 255 0 to 4, bicubic: Pillow 137 126 129 118, sharp 128 128 128 128, Transformers.js 255 255 255 255
#   ramp 0 16 32 to 4, bilinear: Pillow 30 88 152 210, sharp 28 88 152 212, Transformers.js 0 64 128 192
#   ramp 0 16 32 to 4, bicubic: Pillow 25 87 153 215, sharp 24 88 152 216, Transformers.js 0 64 128 192
#   the end of white to 32, bilinear: Pillow 255 255 255 255, sharp 255 255 255 255, Transformers.js 255 255 255 128
#   the end of white to 32, bicubic: Pillow 255 255 255 255, sharp 255 255 255 255, Transformers.js 255 255 255 128
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact @huggingface/transformers@4.3.2 sharp@0.34.5
cat >find.mjs <<'X'
import { RawImage } from '@huggingface/transformers';
import sharp from 'sharp';
const side = 16;
const methods = {
    bilinear: { number: 2, kernel: 'linear', reach: 1, weight: x => 1 - x },
    bicubic: { number: 3, kernel: 'cubic', reach: 2, weight: x => x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-.5 * x + 2.5) * x - 4) * x + 2 } };
// Pillow's filter is as wide as the old pixels that make up a new one, and is cut off at the edges of the picture.
function pillow(row, width, { reach, weight }) {
    const factor = row.length / width, wide = Math.max(factor, 1);
    return Array.from({ length: width }, (_, x) => {
        const weights = row.map((_, i) => Math.abs(i + .5 - (x + .5) * factor) / wide).map(d => d < reach ? weight(d) : 0);
        const total = weights.reduce((sum, w) => sum + w, 0);
        const value = row.reduce((sum, pixel, i) => sum + pixel * weights[i], 0) / total;
        return Math.round(Math.max(0, Math.min(255, value)));
    });
}
const rows = [['stripes 255 0', 4, i => i % 2 ? 0 : 255], ['ramp 0 16 32', 4, i => 16 * i], ['the end of white', 32, () => 255]];
for (const [what, width, value] of rows)
    for (const [name, method] of Object.entries(methods)) {
        const row = Array.from({ length: side }, (_, i) => value(i));
        const pixels = Uint8ClampedArray.from({ length: side * side }, (_, i) => row[i % side]);
        const last = values => [...values].slice(width - 4, width).join(' ');
        const image = await new RawImage(pixels, side, side, 1).resize(width, width, { resample: method.number });
        const second = await sharp(pixels, { raw: { width: side, height: side, channels: 1 } })
            .resize(width, width, { fit: 'fill', kernel: method.kernel }).toColourspace('b-w').raw().toBuffer();
        console.log(`${what} to ${width}, ${name}: Pillow ${last(pillow(row, width, method))}, sharp ${last(second)}, `
            + `Transformers.js ${last(image.data)}`);
    }
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
stripes 255 0 to 4, bilinear: Pillow 137 128 128 118, sharp 128 128 128 128, Transformers.js 255 255 255 255
stripes 255 0 to 4, bicubic: Pillow 137 126 129 118, sharp 128 128 128 128, Transformers.js 255 255 255 255
ramp 0 16 32 to 4, bilinear: Pillow 30 88 152 210, sharp 28 88 152 212, Transformers.js 0 64 128 192
ramp 0 16 32 to 4, bicubic: Pillow 25 87 153 215, sharp 24 88 152 216, Transformers.js 0 64 128 192
the end of white to 32, bilinear: Pillow 255 255 255 255, sharp 255 255 255 255, Transformers.js 255 255 255 128
the end of white to 32, bicubic: Pillow 255 255 255 255, sharp 255 255 255 255, Transformers.js 255 255 255 128
X
