// Paints an example before a first visitor's eyes. Whoever touches the page, or prefers reduced motion, gets the painted mask at once.
import * as masks from './masks.js';

const duration = 1800; // milliseconds
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** Paints the mask into the selected layer, as a brush that goes to the right and back would. */
export function demonstrate(surface, text) {
    const { brush, root } = surface, goal = masks.read(text), off = new AbortController();
    const radius = goal.rows / 5, started = performance.now();
    let isOver = reducedMotion.matches;
    for (const type of ['pointerdown', 'keydown', 'wheel'])
        addEventListener(type, () => { isOver = true; step(); }, { signal: off.signal, capture: true });
    root.dataset.demonstrating = 'true';
    const step = () => {
        if (off.signal.aborted) return;
        const share = Math.min(1, (performance.now() - started) / duration);
        const place = { x: share < .5 ? 2 * share : 2 - 2 * share, y: share < .5 ? .14 : .42 };
        goal.cells.forEach((value, i) => {
            const [x, y] = [i % goal.columns + .5, Math.floor(i / goal.columns) + .5];
            if (Math.hypot(x - place.x * goal.columns, y - place.y * goal.rows) < radius) brush.mask.cells[i] = value;
        });
        if (isOver || share === 1) {
            off.abort();
            brush.mask.cells.set(goal.cells);
            [surface.pointer, brush.isDown] = [null, false];
            delete root.dataset.demonstrating;
            brush.send(true);
            return;
        }
        [surface.pointer, brush.isDown] = [place, true];
        brush.send(false);
        requestAnimationFrame(step);
    };
    step();
}
