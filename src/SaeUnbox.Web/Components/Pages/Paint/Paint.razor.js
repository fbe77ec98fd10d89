// The picture as a surface to paint on: pointer, pen and keys become cells of the selected layer's mask; frames become pixels.
import * as masks from '/js/masks.js';
import { connect } from '/js/paint-connection.js';
import { recipeOf } from '/js/png-text.js';

const throttle = 40;
const keys = { draft: 'saeunbox.draft', pending: 'saeunbox.pending' };
const calm = matchMedia('(prefers-reduced-motion: reduce)');

export function create(root, page) {
    return new Surface(root, page);
}

class Surface {
    constructor(root, page) {
        Object.assign(this, { root, page, layer: { index: -1, rows: 0, columns: 0 }, brush: { size: 64, hardness: .8, erase: false } });
        const find = selector => root.querySelector(selector);
        [this.frame, this.picture, this.before, this.overlay] = ['.frame', '.picture', '.before', '.overlay'].map(find);
        [this.cellText, this.speed] = [find('[data-cell]'), find('[data-speed]')];
        this.mask = masks.blank(1, 1);
        this.cursor = null;
        this.times = [];
        this.view = 'picture';
        this.split = .5;
        this.scale = 1;
        this.off = new AbortController();
        this.listen();
        new ResizeObserver(() => this.fit()).observe(this.frame.parentElement);
        this.fit();
    }

    /** What this browser kept. */
    find() {
        const link = /[#&]r=([\w-]+)/.exec(location.hash)?.[1];
        const stroke = link ? null : pending();
        return { link, draft: stored(keys.draft), pendingEdit: stroke?.edit ?? -1, pendingMask: stroke?.mask };
    }

    async open(recipe) {
        this.connection ??= await connect({
            onFrame: frame => this.show(frame),
            onChanged: change => this.changed(change),
            onStatus: status => this.status(status),
            onRejected: () => { },
            onPainted: (stroke, version) => this.root.dispatchEvent(new CustomEvent('saeunbox:painted', { detail: { version, at: stroke.at } })),
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
        const fresh = layer.index !== this.layer.index || !this.drawing;
        this.layer = layer;
        if (layer.index >= 0 && fresh) this.mask = masks.read(layer.mask, layer.rows, layer.columns);
        store(keys.draft, layer.json);
        this.recipe = layer.json;
        this.overlay.dataset.site = layer.site;
        this.drawOverlay();
    }

    setBrush(size, hardness, erase) {
        this.brush = { size, hardness, erase };
        this.drawOverlay();
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
        this.drawOverlay();
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
        this.blend(bitmap);
        this.times = [...this.times.filter(time => started - time < 1500), started];
        this.speed.textContent = this.drawing && this.times.length > 2
            ? `${((this.times.length - 1) * 1000 / (this.times.at(-1) - this.times[0])).toFixed(0)} fps`
            : `${frame.Milliseconds.reduce((sum, time) => sum + time, 0).toFixed(0)} ms`;
        this.frame.removeAttribute('data-empty');
        this.root.dispatchEvent(new CustomEvent('saeunbox:frame', { detail: { version: frame.Version, bytes: frame.Picture.length } }));
        clearTimeout(this.settling);
        if (!this.drawing) this.settling = setTimeout(() => this.settle(frame.Version), 160);
    }

    blend(bitmap) {
        const { picture } = this;
        if (picture.width !== bitmap.width || picture.height !== bitmap.height) Object.assign(picture, { width: bitmap.width, height: bitmap.height });
        const context = picture.getContext('2d');
        cancelAnimationFrame(this.fading);
        if (calm.matches || this.drawing || !this.hasPicture) {
            this.hasPicture = true;
            context.drawImage(bitmap, 0, 0);
            return;
        }
        const start = performance.now();
        const step = now => {
            const share = Math.min(1, (now - start) / 90);
            context.globalAlpha = share === 1 ? 1 : .35;
            context.drawImage(bitmap, 0, 0);
            context.globalAlpha = 1;
            if (share < 1) this.fading = requestAnimationFrame(step);
        };
        this.fading = requestAnimationFrame(step);
    }

    async settle(version) {
        const thumb = Object.assign(document.createElement('canvas'), { width: 96, height: 96 });
        const { picture } = this, side = Math.min(picture.width, picture.height);
        thumb.getContext('2d').drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, 96, 96);
        if (this.view !== 'picture') await this.loadBefore();
        await this.page.invokeMethodAsync('Settled', version, thumb.toDataURL('image/jpeg', .8), this.outside());
        if (this.view === 'difference') this.drawOverlay();
    }

    /** The same recipe without its edits, for comparing; made once for a prompt and seed. */
    async loadBefore() {
        const recipe = { ...JSON.parse(this.recipe) };
        delete recipe.edits;
        delete recipe.interventions;
        const key = JSON.stringify(recipe);
        if (this.beforeKey === key) return;
        try {
            const bitmap = await createImageBitmap(await generate(key, 'image/png'));
            Object.assign(this.before, { width: bitmap.width, height: bitmap.height });
            this.before.getContext('2d', { willReadFrequently: true }).drawImage(bitmap, 0, 0);
            this.beforeKey = key;
        } catch (error) {
            await this.page.invokeMethodAsync('Trouble', error.message);
        }
    }

    /** Share of the change that lies outside all masks; null where nothing is compared, or nothing is masked. */
    outside() {
        if (this.view === 'picture' || !this.beforeKey || !this.layer.masks?.length || this.layer.masks.some(mask => !mask)) return null;
        const change = this.change();
        const all = this.layer.masks.map(text => masks.read(text));
        let [inner, outer] = [0, 0];
        const { width, height } = this.picture;
        for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++) {
                const painted = all.some(mask => mask.cells[Math.floor(y * mask.rows / height) * mask.columns + Math.floor(x * mask.columns / width)] > 0);
                if (painted) inner += change[y * width + x]; else outer += change[y * width + x];
            }
        return inner + outer > 0 ? outer / (inner + outer) : null;
    }

    change() {
        const { width, height } = this.picture;
        const now = this.picture.getContext('2d').getImageData(0, 0, width, height).data;
        const was = this.before.getContext('2d').getImageData(0, 0, width, height).data;
        const change = new Float32Array(width * height);
        for (let i = 0; i < change.length; i++)
            change[i] = (Math.abs(now[4 * i] - was[4 * i]) + Math.abs(now[4 * i + 1] - was[4 * i + 1]) + Math.abs(now[4 * i + 2] - was[4 * i + 2])) / 765;
        // What a photograph's packing changes is no change.
        return change.map(value => value < .02 ? 0 : value);
    }

    // The draft follows the server's recipe, even where this page's circuit is gone and only the brush came back. A stroke is kept beside it
    // until the draft holds it: the page may be loaded anew at any moment between.
    changed(change) {
        if (change.IsStroke) return;
        store(keys.draft, change.Recipe);
        const kept = pending();
        if (kept && JSON.parse(change.Recipe).edits?.[kept.edit]?.mask === kept.mask) localStorage.removeItem(keys.pending);
    }

    /** The kept stroke has no place in the recipe any more. */
    forget() {
        localStorage.removeItem(keys.pending);
    }

    status(status) {
        if (status.State === 'waiting' && status.Position > 0) this.speed.textContent = `${status.Position} ahead`;
    }

    // ---- The brush

    listen() {
        const on = (target, type, handle, options) => target.addEventListener(type, handle, { signal: this.off.signal, ...options });
        on(this.overlay, 'pointerdown', event => this.down(event));
        on(this.overlay, 'pointermove', event => this.move(event));
        on(this.overlay, 'pointerup', event => this.up(event));
        on(this.overlay, 'pointercancel', event => this.up(event));
        on(this.overlay, 'pointerleave', () => {
            this.pointer = null;
            this.drawOverlay();
            this.hover(null);
        });
        on(this.overlay, 'keydown', event => this.key(event));
        on(this.overlay, 'blur', () => {
            this.cursor = null;
            this.drawOverlay();
        });
        on(document, 'keydown', event => this.shortcut(event));
        on(document, 'keyup', event => event.key.toLowerCase() === 'c' && this.hold(false));
        const hold = this.root.querySelector('[data-hold]');
        on(hold, 'pointerdown', () => this.hold(true));
        for (const type of ['pointerup', 'pointerleave', 'blur']) on(hold, type, () => this.hold(false));
        on(hold, 'keydown', event => [' ', 'Enter'].includes(event.key) && this.hold(true));
        on(hold, 'keyup', () => this.hold(false));
        on(this.root, 'dragover', event => [...event.dataTransfer.types].includes('Files') && event.preventDefault());
        on(this.root, 'drop', event => this.drop(event));
        // Blazor could not come back to this page's circuit: the server was started anew, and the draft waits in this browser.
        const notice = document.getElementById('components-reconnect-modal');
        if (notice) {
            this.watcher = new MutationObserver(() => notice.classList.contains('components-reconnect-rejected') && location.reload());
            this.watcher.observe(notice, { attributes: true, attributeFilter: ['class'] });
            this.off.signal.addEventListener('abort', () => this.watcher.disconnect());
        }
    }

    place(event) {
        const box = this.overlay.getBoundingClientRect();
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
            this.drawOverlay();
            return;
        }
        if (this.drawing) {
            const parts = event.getCoalescedEvents?.() ?? [];
            for (const part of parts.length ? parts : [event]) this.stroke(this.place(part), part);
        } else {
            this.hover(this.pointer);
        }
        this.drawOverlay();
    }

    up() {
        this.sliding = false;
        if (!this.drawing) return;
        this.drawing = false;
        delete this.frame.dataset.drawing;
        this.send(true);
    }

    // A line of discs from where the pointer was; a pen paints as wide as it is pressed.
    stroke(to, event) {
        const { rows, columns } = this.mask, from = this.last ?? to;
        const pressure = event.pointerType === 'pen' && event.pressure > 0 ? .35 + .65 * event.pressure : 1;
        const radius = this.brush.size / 2 * pressure * columns / this.picture.width;
        const length = Math.hypot((to.x - from.x) * columns, (to.y - from.y) * rows);
        const steps = Math.max(1, Math.ceil(length / Math.max(.4, radius / 2)));
        let changed = false;
        for (let i = 1; i <= steps; i++) {
            const share = i / steps;
            changed = masks.disc(this.mask, (from.x + (to.x - from.x) * share) * columns, (from.y + (to.y - from.y) * share) * rows, radius, this.brush.hardness, this.brush.erase) || changed;
        }
        this.last = to;
        if (!changed) return;
        this.changedAt ??= performance.now();
        this.send(false);
    }

    send(isLast) {
        this.drawOverlay();
        const wait = isLast ? 0 : throttle - (performance.now() - (this.sent ?? 0));
        clearTimeout(this.sending);
        const go = () => {
            this.sent = performance.now();
            const mask = masks.write(this.mask);
            // Until the server has the stroke, this browser keeps it.
            if (isLast) store(keys.pending, JSON.stringify({ edit: this.layer.index, mask }));
            this.connection?.paint({ edit: this.layer.index, mask, isLast, at: this.changedAt ?? this.sent });
            this.changedAt = null;
        };
        if (wait <= 0) go(); else this.sending = setTimeout(go, wait);
    }

    hover(place) {
        clearTimeout(this.hovering);
        this.hovering = setTimeout(() => this.page.invokeMethodAsync('Hover', place?.x ?? null, place?.y ?? null), 120);
    }

    // ---- Keys

    key(event) {
        const { rows, columns } = this.mask;
        if (this.layer.index < 0) return;
        const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
        if (step) {
            this.cursor = this.cursor
                ? { row: clamp(this.cursor.row + step[0], rows), column: clamp(this.cursor.column + step[1], columns) }
                : { row: rows >> 1, column: columns >> 1 };
            if (event.shiftKey) this.paintCell(255);
        } else if (event.key === ' ' || event.key === 'Enter') {
            this.cursor ??= { row: rows >> 1, column: columns >> 1 };
            this.paintCell(this.brush.erase ? 0 : 255);
        } else if (event.key === 'Delete' || event.key === 'Backspace') {
            if (this.cursor) this.paintCell(0);
        } else {
            return;
        }
        event.preventDefault();
        this.describe();
        this.drawOverlay();
    }

    paintCell(value) {
        this.mask.cells[this.cursor.row * this.mask.columns + this.cursor.column] = value;
        this.send(true);
    }

    describe() {
        if (!this.cursor) return;
        const value = this.mask.cells[this.cursor.row * this.mask.columns + this.cursor.column];
        this.cellText.textContent = `Row ${this.cursor.row + 1} of ${this.mask.rows}, column ${this.cursor.column + 1} of ${this.mask.columns}: ${value ? `painted ${Math.round(value / 2.55)} %` : 'empty'}`;
    }

    shortcut(event) {
        const typing = event.target.matches?.('input, textarea, select');
        if (event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey) && !typing) {
            event.preventDefault();
            this.page.invokeMethodAsync('Step', event.shiftKey);
        } else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
            const factor = { '[': .8, ']': 1.25 }[event.key];
            if (factor) {
                this.brush.size = Math.round(Math.min(256, Math.max(8, this.brush.size * factor)) / 4) * 4;
                this.page.invokeMethodAsync('BrushSized', this.brush.size);
                this.drawOverlay();
            } else if (event.key === 'b' || event.key === 'e') {
                this.root.querySelector(event.key === 'b' ? '[aria-label="Brush"].icon-button' : '[aria-label="Eraser"]')?.click();
            } else if (event.key === 'c' && !event.repeat) {
                this.hold(true);
            }
        }
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
        const ratio = Math.min(2, devicePixelRatio);
        Object.assign(this.overlay, { width: Math.round(side * ratio), height: Math.round(side / aspect * ratio) });
        this.drawOverlay();
    }

    drawOverlay() {
        cancelAnimationFrame(this.pending);
        this.pending = requestAnimationFrame(() => this.paintOverlay());
    }

    paintOverlay() {
        const { overlay } = this, context = overlay.getContext('2d'), { width, height } = overlay;
        context.clearRect(0, 0, width, height);
        this.before.style.clipPath = this.view === 'slider' ? `inset(0 ${100 - this.split * 100}% 0 0)` : '';
        if (this.view === 'difference' && this.beforeKey) this.paintDifference(context, width, height);
        if (this.view === 'slider') {
            context.fillStyle = '#fff';
            context.fillRect(this.split * width - 1, 0, 2, height);
            context.beginPath();
            context.arc(this.split * width, height / 2, 14, 0, 7);
            context.fill();
            return;
        }
        if (this.layer.index < 0) return;
        const { rows, columns, cells } = this.mask;
        const hue = getComputedStyle(overlay).getPropertyValue('--hue') || '#fff';
        const busy = this.drawing || this.cursor || this.pointer;
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
        if (this.cursor) {
            ring(context, () => context.rect(this.cursor.column * width / columns, this.cursor.row * height / rows, width / columns, height / rows));
        } else if (this.pointer) {
            ring(context, () => context.arc(this.pointer.x * width, this.pointer.y * height, this.brush.size / 2 * width / this.picture.width, 0, 7));
        }
    }

    paintDifference(context, width, height) {
        const change = this.change(), data = new ImageData(this.picture.width, this.picture.height);
        change.forEach((value, i) => data.data.set([255, 120, 60, Math.min(255, value * 900)], 4 * i));
        const small = Object.assign(document.createElement('canvas'), { width: data.width, height: data.height });
        small.getContext('2d').putImageData(data, 0, 0);
        context.fillStyle = 'rgb(8 8 10 / .72)';
        context.fillRect(0, 0, width, height);
        context.drawImage(small, 0, 0, width, height);
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

async function generate(recipe, accept) {
    const answer = await fetch('/api/v1/generate', { method: 'POST', headers: { 'content-type': 'application/json', accept }, body: recipe });
    if (answer.ok) return answer.blob();
    const problem = await answer.json().catch(() => null);
    throw new Error(problem?.detail ?? problem?.title ?? `The server answered ${answer.status}.`);
}

const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));

function stored(key) {
    try { return localStorage.getItem(key); } catch { return null; }
}

/** The newest stroke that the draft may not hold yet. */
function pending() {
    try { return JSON.parse(stored(keys.pending)); } catch { return null; }
}

function store(key, value) {
    try { localStorage.setItem(key, value); } catch { /* A private window keeps no drafts. */ }
}
