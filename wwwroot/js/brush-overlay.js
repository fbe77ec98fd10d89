// What is drawn over the picture: the mask, the brush's outline or the cell the keys are at, the divider, the difference.

export function paintOverlay(surface) {
    const { overlay, view, mask, cursor, pointer, picture } = surface, context = overlay.getContext('2d'), { width, height } = overlay;
    context.clearRect(0, 0, width, height);
    surface.before.style.clipPath = view === 'slider' ? `inset(0 ${100 - surface.split * 100}% 0 0)` : '';
    if (view === 'difference' && surface.comparison.isLoaded) surface.comparison.paint(context, width, height);
    if (view === 'slider') {
        context.fillStyle = '#fff';
        context.fillRect(surface.split * width - 1, 0, 2, height);
        context.beginPath();
        context.arc(surface.split * width, height / 2, 14, 0, 7);
        context.fill();
        return;
    }
    if (surface.layer.index < 0) return;
    const { rows, columns, cells } = mask;
    const hue = getComputedStyle(overlay).getPropertyValue('--hue') || '#fff';
    const busy = surface.drawing || cursor || pointer;
    if (busy) {
        context.fillStyle = hue;
        for (let row = 0; row < rows; row++)
            for (let column = 0; column < columns; column++) {
                const value = cells[row * columns + column] / 255;
                if (value === 0) continue;
                context.globalAlpha = .28 * value;
                context.fillRect(column * width / columns, row * height / rows, width / columns + .5, height / rows + .5);
            }
        context.globalAlpha = 1;
    }
    if (cursor) {
        ring(context, () => context.rect(cursor.column * width / columns, cursor.row * height / rows, width / columns, height / rows));
    } else if (pointer) {
        ring(context, () => context.arc(pointer.x * width, pointer.y * height, surface.brush.size / 2 * width / picture.width, 0, 7));
    }
}

function ring(context, path) {
    for (const [colour, line] of [['rgb(0 0 0 / .65)', 4], ['#fff', 2]]) {
        context.beginPath();
        path();
        context.strokeStyle = colour;
        context.lineWidth = line;
        context.stroke();
    }
}
