// The picture as a surface to paint on: pointer, pen and keys become cells of the selected layer's mask; frames become pixels.
import * as masks from '/js/masks.js';
import * as keys from '/js/brush-keys.js';
import { drawCells, drawDifference, placeMark } from '/js/brush-overlay.js';
import { fadeIn } from '/js/fade.js';
import * as draft from '/js/draft.js';
import { Comparison } from '/js/comparison.js';
import { generate } from '/js/generate.js';
import { connect } from '/js/paint-connection.js';
import { recipeOf } from '/js/png-text.js';
import { Speed } from '/js/speed.js';

const throttle = 40;
const calm = matchMedia('(prefers-reduced-motion: reduce)');

export function create(root, page) {
    return new Surface(root, page);
}

class Surface {
    constructor(root, page) {
        Object.assign(this, { root, page, layer: { index: -1, rows: 0, columns: 0 }, brush: { size: 64, hardness: .8, erase: false } });
        const find = selector => root.querySelector(selector);
        [this.frame, this.picture, this.before, this.overlay] = ['.frame', '.picture', '.before', '.overlay'].map(find);
        [this.cells, this.difference, this.mark] = ['.cells', '.difference', '.mark'].map(find);
        [this.cellText, this.speed] = [find('[data-cell]'), new Speed(find('[data-speed]'))];
        this.comparison = new Comparison(this.picture, this.before);
        this.mask = masks.blank(1, 1);
        this.cursor = null;
        this.view = 'picture';
        this.split = .5;
        this.scale = 1;
        this.off = new AbortController();
        this.listen();
        new ResizeObserver(() => this.fit()).observe(this.frame.parentElement);
        this.fit();
    }

    /** What this browser kept, for the page. */
    find() {
        return draft.find();
    }

    /** The kept stroke has no place in the recipe any more. */
    forget() {
        draft.forget();
    }

    async open(recipe) {
        this.connection ??= await connect({
            onFrame: frame => this.show(frame),
            onChanged: change => draft.changed(change),
            onStatus: status => this.speed.waiting(status),
            onRejected: () => { },
            onPainted: (stroke, version) => this.root.dispatchEvent(new CustomEvent('saeunbox:painted', { detail: { version, at: stroke.at } })),
            onIdle: () => this.aside && this.take(this.aside),
            onTrouble: message => this.page.invokeMethodAsync('Trouble', message),
        });
        if (location.hash) history.replaceState(null, '', location.pathname + location.search);
        return this.connection.open(recipe);
    }

    close() {
        this.off.abort();
        this.connection?.stop();
    }

    // ---- What Blazor says

    showLayer(layer) {
        this.recipe = layer.json;
        this.overlay.dataset.site = this.cells.dataset.site = layer.site;
        this.take(layer);
        this.drawMark();
    }

    // While strokes are on their way the truth is here: a mask from before them is put aside until all have arrived, and counts if it is newer.
    take(layer) {
        const isSame = ['index', 'site', 'rows', 'columns'].every(key => layer[key] === this.layer[key]);
        const isOld = this.drawing || this.connection?.isBusy || layer.version < this.connection?.painted;
        this.layer = layer;
        this.aside = isSame && isOld ? layer : null;
        if (layer.index >= 0 && !this.aside) this.mask = masks.read(layer.mask, layer.rows, layer.columns);
        this.drawMask();
    }

    setBrush(size, hardness, erase) {
        this.brush = { size, hardness, erase };
        this.drawMark();
    }

    fill(how) {
        if (this.layer.index < 0) return;
        const { cells } = this.mask;
        if (how === 'invert') cells.forEach((cell, i) => { cells[i] = 255 - cell; });
        else cells.fill(how === 'all' ? 255 : 0);
        this.send(true);
    }

    async setView(view) {
        this.view = view;
        this.root.dataset.view = view;
        if (view !== 'picture') await this.loadBefore();
        if (view === 'difference') drawDifference(this);
        this.drawMark();
    }

    zoom(step) {
        this.scale = Math.min(3, Math.max(1, this.scale * (step > 0 ? 1.25 : .8)));
        if (this.scale < 1.1) this.scale = 1;
        this.fit();
    }

    async save(recipe) {
        const blob = await generate(recipe, 'image/png');
        const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: 'saeunbox.png' });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    }

    async pictureOf(recipe) {
        return URL.createObjectURL(await generate(recipe, 'image/png'));
    }

    // ---- Pictures

    async show(frame) {
        const started = performance.now();
        const bitmap = await createImageBitmap(new Blob([frame.Picture], { type: frame.MediaType }));
        if (frame.Version < (this.shown ?? -1)) return;
        this.shown = frame.Version;
        fadeIn(this.picture, bitmap, calm.matches || this.drawing || this.frame.hasAttribute('data-empty'));
        this.speed.tell(frame, this.drawing, started);
        this.frame.removeAttribute('data-empty');
        this.root.dispatchEvent(new CustomEvent('saeunbox:frame', { detail: { version: frame.Version, stages: frame.Stages, milliseconds: frame.Milliseconds } }));
        clearTimeout(this.settling);
        if (!this.drawing) this.settling = setTimeout(() => this.settle(frame.Version), 160);
    }

    async settle(version) {
        const thumb = Object.assign(document.createElement('canvas'), { width: 96, height: 96 });
        const { picture } = this, side = Math.min(picture.width, picture.height);
        thumb.getContext('2d').drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, 96, 96);
        if (this.view !== 'picture') await this.loadBefore();
        await this.page.invokeMethodAsync('Settled', version, thumb.toDataURL('image/jpeg', .8), this.view === 'picture' ? null : this.comparison.outside(this.layer.masks));
        if (this.view === 'difference') drawDifference(this);
    }

    async loadBefore() {
        try {
            await this.comparison.load(this.recipe);
        } catch (error) {
            await this.page.invokeMethodAsync('Trouble', error.message);
        }
    }

    // ---- The brush

    listen() {
        const on = (target, type, handle, options) => target.addEventListener(type, handle, { signal: this.off.signal, ...options });
        on(this.overlay, 'pointerdown', event => this.down(event));
        for (const type of ['pointerenter', 'pointerdown']) on(this.overlay, type, () => { this.box = null; }, { capture: true });
        on(document, 'scroll', () => { this.box = null; }, { capture: true, passive: true });
        on(this.overlay, 'pointermove', event => this.move(event));
        on(this.overlay, 'pointerup', event => this.up(event));
        on(this.overlay, 'pointercancel', event => this.up(event));
        on(this.overlay, 'pointerleave', () => {
            this.pointer = null;
            this.drawMark();
            this.hover(null);
        });
        on(this.overlay, 'keydown', event => {
            if (!keys.walk(this, event)) return;
            event.preventDefault();
            this.cellText.textContent = keys.describe(this);
            this.drawMark();
        });
        on(this.overlay, 'blur', () => {
            this.cursor = null;
            this.drawMark();
        });
        on(document, 'keydown', event => keys.shortcut(this, event));
        on(document, 'keyup', event => event.key.toLowerCase() === 'c' && this.hold(false));
        const hold = this.root.querySelector('[data-hold]');
        on(hold, 'pointerdown', () => this.hold(true));
        for (const type of ['pointerup', 'pointerleave', 'blur']) on(hold, type, () => this.hold(false));
        on(hold, 'keydown', event => [' ', 'Enter'].includes(event.key) && this.hold(true));
        on(hold, 'keyup', () => this.hold(false));
        on(this.root, 'dragover', event => [...event.dataTransfer.types].includes('Files') && event.preventDefault());
        on(this.root, 'drop', event => this.drop(event));
    }

    // Where it lies on the page is asked for once: the question has the browser lay the page out.
    place(event) {
        const box = this.box ??= this.overlay.getBoundingClientRect();
        return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    }

    down(event) {
        if (event.button > 0) return;
        this.overlay.setPointerCapture(event.pointerId);
        if (this.view === 'slider') {
            this.sliding = true;
            return this.move(event);
        }
        if (this.layer.index < 0) {
            this.page.invokeMethodAsync('Trouble', 'Choose a feature at the right first: it becomes the layer the brush paints.');
            return;
        }
        this.drawing = true;
        this.frame.dataset.drawing = 'true';
        this.last = this.place(event);
        this.stroke(this.last, event);
    }

    move(event) {
        this.pointer = this.place(event);
        if (this.sliding) {
            this.split = Math.min(1, Math.max(0, this.pointer.x));
            this.drawMark();
            return;
        }
        if (this.drawing) {
            const parts = event.getCoalescedEvents?.() ?? [];
            for (const part of parts.length ? parts : [event]) this.stroke(this.place(part), part);
        } else {
            this.hover(this.pointer);
        }
        this.drawMark();
    }

    up() {
        this.sliding = false;
        if (!this.drawing) return;
        this.drawing = false;
        delete this.frame.dataset.drawing;
        this.send(true);
    }

    // A line from where the pointer was; a pen paints as wide as it is pressed.
    stroke(to, event) {
        const { rows, columns } = this.mask, from = this.last ?? to, at = place => ({ x: place.x * columns, y: place.y * rows });
        const pressure = event.pointerType === 'pen' && event.pressure > 0 ? .35 + .65 * event.pressure : 1;
        const radius = this.brush.size / 2 * pressure * columns / this.picture.width;
        const changed = masks.line(this.mask, at(from), at(to), radius, this.brush.hardness, this.brush.erase);
        this.last = to;
        if (!changed) return;
        this.changedAt ??= performance.now();
        this.send(false);
    }

    send(isLast) {
        this.drawMask();
        this.drawMark();
        const wait = isLast ? 0 : throttle - (performance.now() - (this.sent ?? 0));
        clearTimeout(this.sending);
        const go = () => {
            this.sent = performance.now();
            const mask = masks.write(this.mask);
            // Until the server has the stroke, this browser keeps it.
            draft.keepStroke(this.layer.index, mask);
            this.connection?.paint({ edit: this.layer.index, mask, isLast, at: this.changedAt ?? this.sent });
            this.changedAt = null;
        };
        if (wait <= 0) go(); else this.sending = setTimeout(go, wait);
    }

    hover(place) {
        clearTimeout(this.hovering);
        this.hovering = setTimeout(() => this.page.invokeMethodAsync('Hover', place?.x ?? null, place?.y ?? null), 120);
    }

    async hold(isHeld) {
        if (isHeld) {
            await this.loadBefore();
            this.root.dataset.held = 'true';
        } else {
            delete this.root.dataset.held;
        }
    }

    async drop(event) {
        const [file] = event.dataTransfer.files;
        if (!file) return;
        event.preventDefault();
        await this.page.invokeMethodAsync('Dropped', await recipeOf(file).catch(() => null));
    }

    // ---- Drawing over the picture

    fit() {
        const stage = this.frame.parentElement;
        const aspect = (this.picture.width || 1) / (this.picture.height || 1);
        const side = Math.max(120, Math.min(stage.clientWidth, stage.clientHeight * aspect)) * this.scale;
        this.frame.style.width = `${side}px`;
        this.frame.style.height = `${side / aspect}px`;
        this.side = { width: side, height: side / aspect };
        this.box = null;
        this.drawMark();
    }

    drawMark() {
        this.placing ??= requestAnimationFrame(() => {
            this.placing = null;
            this.before.style.clipPath = this.view === 'slider' ? `inset(0 ${100 - this.split * 100}% 0 0)` : '';
            placeMark(this);
        });
    }

    drawMask() {
        this.masking ??= requestAnimationFrame(() => {
            this.masking = null;
            drawCells(this);
        });
    }
}
