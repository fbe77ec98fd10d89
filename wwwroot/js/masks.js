// Masks and their text form, ROWSxCOLUMNS/SCALE:DATA, as described in docs/recipe.md. In the browser, cells are integers from 0 to 255.

export function blank(rows, columns) {
    return { rows, columns, cells: new Uint8Array(rows * columns) };
}

export function write(mask) {
    const bytes = [];
    const { cells } = mask;
    const binary = cells.every(cell => cell === 0 || cell === 255);
    for (let start = 0; start < cells.length;) {
        let end = start + 1;
        while (end < cells.length && cells[end] === cells[start]) end++;
        writeNumber(bytes, end - start);
        writeNumber(bytes, binary ? cells[start] / 255 : cells[start]);
        start = end;
    }
    const text = btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
    return `${mask.rows}x${mask.columns}/${binary ? 1 : 255}:${text}`;
}

export function read(text, rows, columns) {
    if (!text) return { rows, columns, cells: new Uint8Array(rows * columns).fill(255) };
    const [, height, width, scale, data] = /^(\d+)x(\d+)\/(\d+|f32):(.*)$/.exec(text);
    const mask = blank(+height, +width);
    const bytes = Uint8Array.from(atob(data.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    for (let at = 0, cell = 0; at < bytes.length;) {
        let run, value;
        [run, at] = readNumber(bytes, at);
        if (scale === 'f32') {
            value = view.getFloat32(at, true);
            at += 4;
        } else {
            [value, at] = readNumber(bytes, at);
            value /= +scale;
        }
        mask.cells.fill(Math.round(value * 255), cell, cell += run);
    }
    return mask;
}

// Seven bits per byte, the lowest first; the highest bit marks that more bytes follow.
function writeNumber(bytes, value) {
    for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
    bytes.push(value);
}

function readNumber(bytes, at) {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++];
        value |= (byte & 127) << shift;
        if (byte < 128) return [value, at];
    }
}

/** Paints a disc, with coordinates and radius in cells. Returns whether a cell changed. */
export function disc(mask, x, y, radius, hardness, erase) {
    let changed = false;
    // A disc smaller than a cell paints the cell that contains it.
    const reach = Math.max(radius, 0.5);
    const soft = Math.max(0.35, reach * (1 - hardness));
    for (let row = Math.max(0, Math.floor(y - reach - 1)); row <= Math.min(mask.rows - 1, Math.ceil(y + reach)); row++) {
        for (let column = Math.max(0, Math.floor(x - reach - 1)); column <= Math.min(mask.columns - 1, Math.ceil(x + reach)); column++) {
            const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
            const inside = Math.min(1, Math.max(0, (reach + 0.25 - distance) / soft));
            if (inside <= 0) continue;
            const at = row * mask.columns + column;
            const wanted = Math.round(255 * inside);
            const next = erase ? Math.min(mask.cells[at], 255 - wanted) : Math.max(mask.cells[at], wanted);
            changed ||= next !== mask.cells[at];
            mask.cells[at] = next;
        }
    }
    return changed;
}

/** Paints discs along a line, with coordinates and radius in cells. Returns whether a cell changed. */
export function line(mask, from, to, radius, hardness, erase) {
    const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / Math.max(0.4, radius / 2)));
    let changed = false;
    for (let i = 1; i <= steps; i++) {
        const share = i / steps;
        changed = disc(mask, from.x + (to.x - from.x) * share, from.y + (to.y - from.y) * share, radius, hardness, erase) || changed;
    }
    return changed;
}

/** Fills or erases a polygon with corners in cells. A cell gets the share of it that lies inside. */
export function polygon(mask, corners, erase) {
    const { rows, columns, cells } = mask, fine = 4, inside = new Uint8Array(rows * columns);
    for (let line = 0; line < rows * fine; line++) {
        const y = (line + .5) / fine, crossings = [];
        corners.forEach((from, i) => {
            const to = corners[(i + 1) % corners.length];
            if (from.y > y !== to.y > y) crossings.push(from.x + (y - from.y) / (to.y - from.y) * (to.x - from.x));
        });
        crossings.sort((one, other) => one - other);
        for (let i = 0; i + 1 < crossings.length; i += 2)
            for (let part = Math.max(0, Math.ceil(crossings[i] * fine - .5)); part < columns * fine && (part + .5) / fine < crossings[i + 1]; part++)
                inside[Math.floor(line / fine) * columns + Math.floor(part / fine)]++;
    }
    inside.forEach((parts, i) => {
        const wanted = Math.round(255 * parts / fine ** 2);
        cells[i] = erase ? Math.min(cells[i], 255 - wanted) : Math.max(cells[i], wanted);
    });
}

/** Sets a mask to other cells, moved by rows and columns. What leaves the grid is lost. Returns whether a cell changed. */
export function shift(mask, from, byRows, byColumns) {
    const { rows, columns, cells } = mask, next = new Uint8Array(rows * columns);
    for (let row = Math.max(0, byRows); row < Math.min(rows, rows + byRows); row++)
        for (let column = Math.max(0, byColumns); column < Math.min(columns, columns + byColumns); column++)
            next[row * columns + column] = from[(row - byRows) * columns + column - byColumns];
    const changed = next.some((cell, i) => cell !== cells[i]);
    cells.set(next);
    return changed;
}
