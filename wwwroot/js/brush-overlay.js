// What lies over the picture: the mask as a canvas of one pixel a cell, the difference, and one mark: the brush's outline, the cell the keys are
// at, or the divider. Each is drawn only when it changes, and the mark is moved, not drawn: a pointer's move costs next to nothing.

const hues = new Map();

/** Draws the selected layer's mask. */
export function drawCells({ cells, brush: { mask, layer } }) {
    if (layer.index < 0) return void (cells.width = cells.height = 1);
    if (cells.width !== mask.columns || cells.height !== mask.rows) Object.assign(cells, { width: mask.columns, height: mask.rows });
    const context = cells.getContext('2d'), data = context.createImageData(mask.columns, mask.rows), [red, green, blue] = hueOf(cells, layer.site);
    mask.cells.forEach((value, i) => data.data.set([red, green, blue, .28 * value], 4 * i));
    context.putImageData(data, 0, 0);
}

/** Puts the mark where the pointer, the keys or the divider are. */
export function placeMark({ mark, frame, before, cursor, pointer, brush, picture, viewport: { side }, views: { view, split } }) {
    const { layer, mask } = brush;
    before.style.clipPath = view === 'slider' ? `inset(0 ${100 - split * 100}% 0 0)` : '';
    const shape = view === 'slider' ? 'divider' : layer.index < 0 ? null : cursor ? 'cell' : pointer ? 'brush' : null;
    attribute(mark, 'shape', shape);
    attribute(frame, 'busy', layer.index >= 0 && (brush.isDown || cursor || pointer) ? 'true' : null);
    const { width, height } = side;
    if (shape === 'divider') place(mark, split * width, 0);
    if (shape === 'cell') place(mark, cursor.column * width / mask.columns, cursor.row * height / mask.rows, width / mask.columns, height / mask.rows);
    if (shape === 'brush') {
        const size = brush.size * width / picture.width;
        place(mark, pointer.x * width - size / 2, pointer.y * height - size / 2, size, size);
    }
}

/** Draws where the picture changed, at its own size. */
export function drawDifference({ difference, picture }, comparison) {
    Object.assign(difference, { width: picture.width, height: picture.height });
    if (comparison.isLoaded) comparison.paint(difference.getContext('2d'), picture.width, picture.height);
}

function place({ style }, x, y, width, height) {
    style.transform = `translate(${x}px, ${y}px)`;
    style.width = width === undefined ? '' : `${width}px`;
    style.height = height === undefined ? '' : `${height}px`;
}

function attribute({ dataset }, name, value) {
    if (value === null) delete dataset[name];
    else if (dataset[name] !== value) dataset[name] = value;
}

// Read once for a site and a theme: to ask for a style has the browser lay the page out.
function hueOf(element, site) {
    const key = `${site}/${document.documentElement.dataset.theme}`;
    if (!hues.has(key)) {
        const probe = new OffscreenCanvas(1, 1).getContext('2d');
        probe.fillStyle = getComputedStyle(element).getPropertyValue('--hue').trim() || '#fff';
        probe.fillRect(0, 0, 1, 1);
        hues.set(key, probe.getImageData(0, 0, 1, 1).data);
    }
    return hues.get(key);
}
