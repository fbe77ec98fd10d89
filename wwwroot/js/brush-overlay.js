// Draws over the picture: the mask on a canvas with one pixel per cell, the difference, and one mark, which is the brush's outline, the
// cell cursor or the divider. The mark is an element that is only moved, so a moving pointer costs almost nothing.

const hues = new Map();

/** Draws the selected layer's mask, or the marked region. */
export function drawCells({ cells, brush: { shown: mask, canPaint, layer } }) {
    if (!canPaint) return void (cells.width = cells.height = 1);
    if (cells.width !== mask.columns || cells.height !== mask.rows) Object.assign(cells, { width: mask.columns, height: mask.rows });
    const context = cells.getContext('2d'), image = context.createImageData(mask.columns, mask.rows);
    const [red, green, blue] = hueOf(cells, layer.site);
    mask.cells.forEach((value, i) => image.data.set([red, green, blue, .28 * value], 4 * i));
    context.putImageData(image, 0, 0);
}

/** Moves the mark to the pointer, the cell cursor or the divider. */
export function placeMark({ mark, lasso, frame, before, cursor, pointer, brush, picture, viewport: { side }, views: { view, split } }) {
    const { shown: mask, canPaint } = brush;
    before.style.clipPath = view === 'slider' ? `inset(0 ${100 - split * 100}% 0 0)` : '';
    const hasRing = pointer && ['brush', 'eraser', 'select', 'remove'].includes(brush.tool);
    const shape = view === 'slider' ? 'divider' : !canPaint ? null : cursor ? 'cell' : hasRing ? 'brush' : null;
    attribute(mark, 'shape', shape);
    attribute(frame, 'busy', canPaint && (brush.isDown || cursor || pointer || brush.tool === 'select') ? 'true' : null);
    attribute(frame, 'painting', brush.isDown ? 'true' : null);
    lasso.setAttribute('d', brush.loop.map(({ x, y }, i) => `${i ? 'L' : 'M'}${x} ${y}`).join(''));
    const { width, height } = side;
    if (shape === 'divider') place(mark, split * width, 0);
    if (shape === 'cell') {
        const [cellWidth, cellHeight] = [width / mask.columns, height / mask.rows];
        place(mark, cursor.column * cellWidth, cursor.row * cellHeight, cellWidth, cellHeight);
    }
    if (shape === 'brush') {
        const size = brush.size * width / picture.width;
        place(mark, pointer.x * width - size / 2, pointer.y * height - size / 2, size, size);
    }
}

/** Draws where the picture changed. */
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

// Cached per site and theme, because reading a style makes the browser lay out the page.
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
