// The brush: what is painted becomes cells of the selected layer's mask, and goes to the server while the pointer moves.
import * as masks from '/js/masks.js';
import * as draft from '/js/draft.js';

const throttle = 40; // milliseconds
const still = .02; // of the picture's side

export class Brush {
    constructor(surface) {
        Object.assign(this, { surface, size: 64, hardness: .8, erase: false, isDown: false });
        this.layer = { index: -1, rows: 0, columns: 0 };
        this.mask = masks.blank(1, 1);
    }

    /** The selected layer as the server has it. */
    take(layer) {
        const { connection } = this.surface;
        // While strokes are on their way the truth is here: a mask from before them is put aside until all have arrived, and counts if it is newer.
        const isSame = ['index', 'site', 'rows', 'columns'].every(key => layer[key] === this.layer[key]);
        const isOld = this.isDown || connection?.isBusy || layer.version < connection?.painted;
        this.layer = layer;
        this.aside = isSame && isOld ? layer : null;
        if (layer.index >= 0 && !this.aside) this.mask = masks.read(layer.mask, layer.rows, layer.columns);
        this.surface.drawMask();
    }

    /** All strokes have arrived. */
    arrived() {
        if (this.aside) this.take(this.aside);
    }

    begin(place, event) {
        this.isDown = true;
        this.begun = { place, cells: this.mask.cells.slice() };
        this.last = place;
        this.draw(place, event);
    }

    /** Paints a line from where the pointer was; a pen paints as wide as it is pressed. */
    draw(to, event) {
        if (this.layer.index < 0) return;
        const { mask, last } = this, at = place => ({ x: place.x * mask.columns, y: place.y * mask.rows });
        const pressure = event.pointerType === 'pen' && event.pressure > 0 ? .35 + .65 * event.pressure : 1;
        const radius = this.size / 2 * pressure * mask.columns / this.surface.picture.width;
        const changed = masks.line(mask, at(last), at(to), radius, this.hardness, this.erase);
        this.last = to;
        if (!changed) return;
        this.changedAt ??= performance.now();
        this.send(false);
    }

    end() {
        this.isDown = false;
        this.send(true);
    }

    /** A second finger came: two take hold of the picture, and where the first one lay still, it was not meant to paint. */
    yield() {
        const { place, cells } = this.begun;
        if (Math.hypot(this.last.x - place.x, this.last.y - place.y) < still) this.mask.cells.set(cells);
        this.end();
    }

    /** Paints one cell. */
    set({ row, column }, value) {
        this.mask.cells[row * this.mask.columns + column] = value;
        this.send(true);
    }

    fill(how) {
        if (this.layer.index < 0) return;
        const { cells } = this.mask;
        if (how === 'invert') cells.forEach((cell, i) => { cells[i] = 255 - cell; });
        else cells.fill(how === 'all' ? 255 : 0);
        this.send(true);
    }

    send(isLast) {
        this.surface.drawMask();
        this.surface.drawMark();
        const wait = isLast ? 0 : throttle - (performance.now() - (this.sent ?? 0));
        clearTimeout(this.sending);
        const go = () => {
            this.sent = performance.now();
            const edit = this.layer.index, mask = masks.write(this.mask);
            // Until the server has the stroke, this browser keeps it.
            draft.keepStroke(edit, mask);
            this.surface.connection?.paint({ edit, mask, isLast, at: this.changedAt ?? this.sent });
            this.changedAt = null;
        };
        if (wait <= 0) go(); else this.sending = setTimeout(go, wait);
    }
}
