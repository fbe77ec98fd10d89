// Changes the selected layer's mask with the brush, the eraser, the lasso or the hand, and sends it to the server while the pointer moves.
// With the tools for regions it marks a mask of its own, which goes to the page when the pointer is up.
import * as masks from './masks.js';
import * as draft from './draft.js';

const sendInterval = 25; // milliseconds
// Shares of the picture's side.
const stillDistance = .02, lassoStep = .004;

export class Brush {
    constructor(surface) {
        Object.assign(this, { surface, size: 128, hardness: .8, tool: 'brush', isDown: false, loop: [] });
        this.layer = { index: -1, rows: 0, columns: 0 };
        this.mask = this.region = masks.blank(1, 1);
    }

    /** Whether the tool marks a region. */
    get isRegional() {
        return this.tool === 'select' || this.tool === 'remove';
    }

    get canPaint() {
        return this.isRegional || this.layer.index >= 0;
    }

    /** The mask that the tool changes. */
    get shown() {
        return this.isRegional ? this.region : this.mask;
    }

    choose(size, hardness, tool) {
        if (tool !== this.tool && tool === 'remove') this.region.cells.fill(0);
        Object.assign(this, { size, hardness, tool });
        this.surface.drawMask();
    }

    unselect() {
        this.region.cells.fill(0);
        this.surface.drawMask();
    }

    /** Sets the selected layer. */
    setLayer(layer) {
        const { connection } = this.surface;
        // While strokes are being sent, this mask is newer than the server's, which is applied later if it is newer by then.
        const isSame = ['index', 'site', 'rows', 'columns'].every(key => layer[key] === this.layer[key]);
        const isOld = this.isDown || connection?.isBusy || layer.version < connection?.painted;
        this.layer = layer;
        if (this.region.rows !== layer.regionRows || this.region.columns !== layer.regionColumns)
            this.region = masks.blank(layer.regionRows, layer.regionColumns);
        this.deferred = isSame && isOld ? layer : null;
        if (layer.index >= 0 && !this.deferred) this.mask = masks.read(layer.mask, layer.rows, layer.columns);
        this.surface.drawMask();
    }

    /** Applies the deferred layer, now that the server has all strokes. */
    applyDeferred() {
        if (this.deferred) this.setLayer(this.deferred);
    }

    get isBlank() {
        return this.mask.cells.every(cell => cell === 0);
    }

    begin(place, event) {
        this.isDown = true;
        if (this.isRegional) this.region.cells.fill(0);
        this.begun = { place, cells: this.shown.cells.slice() };
        this.last = place;
        this.loop = [];
        this.draw(place, event);
    }

    draw(to, event) {
        if (!this.canPaint) return;
        const changed = this.tool === 'lasso' ? this.surround(to, event) : this.tool === 'move' ? this.carry(to) : this.line(to, event);
        this.last = to;
        if (!changed) return;
        if (this.isRegional) return this.surface.drawMask();
        this.changedAt ??= performance.now();
        this.send(false);
    }

    /** Paints or erases a line from the pointer's last place. A pen paints wider when pressed harder. */
    line(to, event) {
        const { shown: mask, last } = this, at = place => ({ x: place.x * mask.columns, y: place.y * mask.rows });
        const pressure = event.pointerType === 'pen' && event.pressure > 0 ? .35 + .65 * event.pressure : 1;
        const radius = this.size / 2 * pressure * mask.columns / this.surface.picture.width;
        return masks.line(mask, at(last), at(to), radius, this.isRegional ? 1 : this.hardness, this.tool === 'eraser');
    }

    /** Extends the lasso. Its area is filled when the pointer is up; with Alt it is erased. */
    surround(to, { altKey }) {
        const end = this.loop.at(-1);
        this.erasesLoop = altKey;
        if (!end || Math.hypot(to.x - end.x, to.y - end.y) > lassoStep) this.loop.push(to);
        return false;
    }

    /** Moves the mask by whole cells. */
    carry(to) {
        const { mask, begun } = this, by = (key, count) => Math.round((to[key] - begun.place[key]) * count);
        return masks.shift(mask, begun.cells, by('y', mask.rows), by('x', mask.columns));
    }

    /** Moves the mask by cells. */
    nudge(rows, columns) {
        if (masks.shift(this.mask, this.mask.cells.slice(), rows, columns)) this.send(true);
    }

    end() {
        const { mask, loop } = this;
        this.isDown = false;
        if (this.isRegional) return this.useRegion();
        this.loop = [];
        if (loop.length > 2)
            masks.polygon(mask, loop.map(({ x, y }) => ({ x: x * mask.columns, y: y * mask.rows })), this.erasesLoop);
        this.send(true);
    }

    /** Gives the marked region to the page. What was to be removed is no longer marked then. */
    useRegion() {
        const { surface, region } = this;
        surface.page.invokeMethodAsync('UseRegion', masks.write(region));
        if (this.tool === 'remove') region.cells.fill(0);
        surface.drawMask();
    }

    /** Ends the stroke because a second finger touched. If the first finger has not moved, it was not meant to paint. */
    cancelTouch() {
        const { place, cells } = this.begun;
        if (Math.hypot(this.last.x - place.x, this.last.y - place.y) < stillDistance) this.shown.cells.set(cells);
        this.loop = [];
        if (this.isRegional) return void (this.isDown = false);
        this.end();
    }

    /** Sets one cell. */
    set({ row, column }, value) {
        this.shown.cells[row * this.shown.columns + column] = value;
        if (this.isRegional) this.surface.drawMask(); else this.send(true);
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
