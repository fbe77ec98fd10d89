// The brush by keys: on the picture arrows walk from cell to cell and paint; anywhere else letters choose tools.

const arrows = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** A key on the picture; returns whether it meant something. */
export function walk(surface, event) {
    const { rows, columns } = surface.mask, middle = { row: rows >> 1, column: columns >> 1 }, step = arrows[event.key];
    if (surface.layer.index < 0) return false;
    if (step) {
        surface.cursor = surface.cursor
            ? { row: clamp(surface.cursor.row + step[0], rows), column: clamp(surface.cursor.column + step[1], columns) }
            : middle;
        if (event.shiftKey) paint(surface, 255);
    } else if (event.key === ' ' || event.key === 'Enter') {
        surface.cursor ??= middle;
        paint(surface, surface.brush.erase ? 0 : 255);
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
        if (surface.cursor) paint(surface, 0);
    } else {
        return false;
    }
    return true;
}

/** What stands under the cursor, for those who do not see it. */
export function describe({ cursor, mask }) {
    if (!cursor) return '';
    const value = mask.cells[cursor.row * mask.columns + cursor.column];
    return `Row ${cursor.row + 1} of ${mask.rows}, column ${cursor.column + 1} of ${mask.columns}: ${value ? `painted ${Math.round(value / 2.55)} %` : 'empty'}`;
}

/** A key anywhere on the page. */
export function shortcut(surface, event) {
    if (event.target.matches?.('input, textarea, select')) return;
    const { root, page, brush } = surface, factor = { '[': .8, ']': 1.25 }[event.key];
    if (event.ctrlKey || event.metaKey) {
        if (event.key.toLowerCase() !== 'z') return;
        event.preventDefault();
        page.invokeMethodAsync('Step', event.shiftKey);
    } else if (event.altKey) {
        // The browser's own.
    } else if (factor) {
        brush.size = Math.round(Math.min(256, Math.max(8, brush.size * factor)) / 4) * 4;
        page.invokeMethodAsync('BrushSized', brush.size);
        surface.drawMark();
    } else if (event.key === 'b' || event.key === 'e') {
        root.querySelector(event.key === 'b' ? '[aria-label="Brush"].icon-button' : '[aria-label="Eraser"]')?.click();
    } else if (event.key === 'c' && !event.repeat) {
        surface.hold(true);
    }
}

function paint(surface, value) {
    surface.mask.cells[surface.cursor.row * surface.mask.columns + surface.cursor.column] = value;
    surface.send(true);
}

const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));
