// The keys of the studio. On the picture, arrow keys move the cell cursor, the divider or the mask. Single keys act wherever no text is
// typed; visitors can switch them off.

const arrows = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const ends = { Home: 0, End: 1 };
const tools = ['b', 'e', 'l', 'm', 's', 'r', '?'];
const textFields = 'textarea, input:not([type="range"], [type="checkbox"], [type="radio"], [type="button"])';

export class Keys {
    constructor(surface, on) {
        this.surface = surface;
        const { overlay, views } = surface;
        on(overlay, 'keydown', event => this.onPicture(event));
        on(overlay, 'blur', () => this.leave());
        on(document, 'keydown', event => this.shortcut(event));
        on(document, 'keyup', event => event.key.toLowerCase() === 'c' && views.hold(false));
        on(window, 'blur', () => views.hold(false));
        const hold = surface.root.querySelector('[data-hold]');
        on(hold, 'pointerdown', () => views.hold(true));
        for (const type of ['pointerup', 'pointerleave', 'blur', 'keyup']) on(hold, type, () => views.hold(false));
        on(hold, 'keydown', event => [' ', 'Enter'].includes(event.key) && views.hold(true));
    }

    onPicture(event) {
        const { surface } = this;
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (!(surface.views.view === 'slider' ? this.slide(event) : this.walk(event))) return;
        event.preventDefault();
        surface.drawMark();
    }

    slide({ key, shiftKey }) {
        const { views } = this.surface, step = arrows[key];
        if (!step && !(key in ends)) return false;
        // As on any slider, the up key increases the value.
        views.slide(step ? views.split + (step[1] - step[0]) * (shiftKey ? .1 : .02) : ends[key]);
        return true;
    }

    walk({ key, shiftKey }) {
        const { surface } = this, { brush } = surface, { rows, columns } = brush.shown, step = arrows[key];
        const middle = { row: rows >> 1, column: columns >> 1 };
        if (!brush.canPaint) return false;
        if (step && brush.tool === 'move') {
            brush.nudge(...step);
            return true;
        }
        if (step) {
            surface.cursor = surface.cursor
                ? { row: clamp(surface.cursor.row + step[0], rows), column: clamp(surface.cursor.column + step[1], columns) }
                : middle;
            if (shiftKey) brush.set(surface.cursor, 255);
        } else if (key === 'Enter' && brush.isRegional) {
            brush.useRegion();
        } else if (key === ' ' || key === 'Enter') {
            surface.cursor ??= middle;
            brush.set(surface.cursor, brush.tool === 'eraser' ? 0 : 255);
        } else if (key === 'Delete' || key === 'Backspace') {
            if (surface.cursor) brush.set(surface.cursor, 0);
        } else {
            return false;
        }
        this.describe();
        return true;
    }

    // Describes the cell to screen readers, scrolls to it and lists its features.
    describe() {
        const { surface } = this, { cursor, brush: { shown: mask } } = surface;
        if (!cursor) return;
        const value = mask.cells[cursor.row * mask.columns + cursor.column];
        const place = { x: (cursor.column + .5) / mask.columns, y: (cursor.row + .5) / mask.rows };
        surface.cellText.textContent = `Row ${cursor.row + 1} of ${mask.rows}, column ${cursor.column + 1} of ${mask.columns}: `
            + (value ? `painted ${Math.round(value / 2.55)} %` : 'empty');
        surface.viewport.reveal(place);
        surface.pointers.pointAt(place);
    }

    leave() {
        this.surface.cursor = null;
        this.surface.drawMark();
    }

    /** Handles a key pressed anywhere on the page. */
    shortcut(event) {
        const { root, page, views } = this.surface, { target } = event, key = event.key.toLowerCase();
        if (target.matches?.(textFields) || root.querySelector('dialog[open]')) return;
        if (event.ctrlKey || event.metaKey) {
            if (key !== 'z' && key !== 'y') return;
            event.preventDefault();
            page.invokeMethodAsync('UndoOrRedo', key === 'y' || event.shiftKey);
        } else if (event.altKey || this.isOff || target.matches?.('select')) {
            // The key belongs to the browser or to the list.
        } else if (key === '[' || key === ']') {
            this.resize(key === '[' ? .8 : 1.25);
        } else if (key === 'c' && !event.repeat) {
            views.hold(true);
        } else if (tools.includes(key) && !event.repeat) {
            root.querySelector(`[aria-keyshortcuts="${key.toUpperCase()}"]`)?.click();
        } else if (key >= '1' && key <= '9') {
            root.querySelector(`[data-layer="${key - 1}"] .pick`)?.click();
        }
    }

    resize(factor) {
        const { brush, page } = this.surface;
        brush.size = Math.round(Math.min(512, Math.max(8, brush.size * factor)) / 4) * 4;
        page.invokeMethodAsync('SetBrushSize', brush.size);
        this.surface.drawMark();
    }
}

const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));
