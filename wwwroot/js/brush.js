// Paints into the selected layer's mask and sends the mask to the server while the pointer moves.
import * as masks from './masks.js';
import * as draft from './draft.js';

const sendInterval = 40; // milliseconds
const stillDistance = .02; // share of the picture's side

export class Brush {
    constructor(surface) {
        Object.assign(this, { surface, size: 64, hardness: .8, erase: false, isDown: false });
        this.layer = { index: -1, rows: 0, columns: 0 };
        this.mask = masks.blank(1, 1);
    }

    /** Sets the selected layer. */
    setLayer(layer) {
        const { connection } = this.surface;
        // While strokes are being sent, this mask is newer than the server's, which is applied later if it is newer by then.
        const isSame = ['index', 'site', 'rows', 'columns'].every(key => layer[key] === this.layer[key]);
        const isOld = this.isDown || connection?.isBusy || layer.version < connection?.painted;
        this.layer = layer;
        this.deferred = isSame && isOld ? layer : null;
        if (layer.index >= 0 && !this.deferred) this.mask = masks.read(layer.mask, layer.rows, layer.columns);
        this.surface.drawMask();
    }

    /** Applies the deferred layer, now that the server has all strokes. */
    applyDeferred() {
        if (this.deferred) this.setLayer(this.deferred);
    }

    begin(place, event) {
        this.isDown = true;
        this.begun = { place, cells: this.mask.cells.slice() };
        this.last = place;
        this.draw(place, event);
    }

    /** Paints a line from the pointer's last place. A pen paints wider when pressed harder. */
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

    /** Ends the stroke because a second finger touched. If the first finger has not moved, it was not meant to paint. */
    cancelTouch() {
        const { place, cells } = this.begun;
        if (Math.hypot(this.last.x - place.x, this.last.y - place.y) < stillDistance) this.mask.cells.set(cells);
        this.end();
    }

    /** Sets one cell. */
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
        const wait = isLast ? 0 : sendInterval - (performance.now() - (this.sent ?? 0));
        clearTimeout(this.sending);
        const go = () => {
            this.sent = performance.now();
            const edit = this.layer.index, mask = masks.write(this.mask);
            draft.storeStroke(edit, mask);
            this.surface.connection?.paint({ edit, mask, isLast, at: this.changedAt ?? this.sent });
            this.changedAt = null;
        };
        if (wait <= 0) go(); else this.sending = setTimeout(go, wait);
    }
}
