// Compares the picture with the one that the same recipe gives without its edits.
import * as masks from './masks.js';
import { generate } from './generate.js';

export class Comparison {
    constructor(picture, before) {
        Object.assign(this, { picture, before });
    }

    get isLoaded() {
        return this.key !== undefined;
    }

    /** Makes the picture without edits, unless it is there already. */
    async load(json) {
        const recipe = { ...JSON.parse(json) };
        delete recipe.edits;
        delete recipe.interventions;
        const key = JSON.stringify(recipe);
        if (this.key === key) return;
        this.wanted = key;
        const bitmap = await createImageBitmap(await generate(key, 'image/png'));
        // The recipe may have changed in the meantime.
        if (this.wanted !== key) return;
        Object.assign(this.before, { width: bitmap.width, height: bitmap.height });
        this.before.getContext('2d', { willReadFrequently: true }).drawImage(bitmap, 0, 0);
        this.key = key;
    }

    /** Returns the share of the change that lies outside all masks; null if nothing is loaded or painted, or a mask covers everything. */
    outside(texts) {
        if (!this.isLoaded || !texts?.length || texts.some(text => !text)) return null;
        const change = this.change(), all = texts.map(text => masks.read(text)), { width, height } = this.picture;
        if (all.every(mask => mask.cells.every(cell => cell === 0))) return null;
        let [inner, outer] = [0, 0];
        for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++) {
                const cell = mask => Math.floor(y * mask.rows / height) * mask.columns + Math.floor(x * mask.columns / width);
                if (all.some(mask => mask.cells[cell(mask)] > 0)) inner += change[y * width + x]; else outer += change[y * width + x];
            }
        return inner + outer > 0 ? outer / (inner + outer) : null;
    }

    /** Draws changed pixels bright and others dark. */
    paint(context, width, height) {
        const change = this.change(), data = new ImageData(this.picture.width, this.picture.height);
        change.forEach((value, i) => data.data.set([255, 120, 60, Math.min(255, value * 900)], 4 * i));
        const small = Object.assign(document.createElement('canvas'), { width: data.width, height: data.height });
        small.getContext('2d').putImageData(data, 0, 0);
        context.fillStyle = 'rgb(8 8 10 / .72)';
        context.fillRect(0, 0, width, height);
        context.drawImage(small, 0, 0, width, height);
    }

    /** Returns each pixel's mean change over its colour channels, 0 to 1. */
    change() {
        const { width, height } = this.picture;
        const now = this.picture.getContext('2d').getImageData(0, 0, width, height).data;
        const was = this.before.getContext('2d').getImageData(0, 0, width, height).data;
        const change = new Float32Array(width * height);
        for (let i = 0; i < change.length; i++)
            for (let channel = 4 * i; channel < 4 * i + 3; channel++) change[i] += Math.abs(now[channel] - was[channel]) / 765;
        // Smaller changes come from JPEG compression.
        return change.map(value => value < .02 ? 0 : value);
    }
}
