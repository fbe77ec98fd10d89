// The studio's part in the browser. Blazor says what is selected and how to look; strokes go to the hub and pictures come from it, past Blazor.
import { Brush } from '/js/brush.js';
import { drawCells, placeMark } from '/js/brush-overlay.js';
import { Keys } from '/js/brush-keys.js';
import { download } from '/js/download.js';
import * as draft from '/js/draft.js';
import { generate } from '/js/generate.js';
import { connect } from '/js/paint-connection.js';
import { Pictures } from '/js/pictures.js';
import { recipeOf } from '/js/png-text.js';
import { Pointers } from '/js/pointers.js';
import { Viewport } from '/js/viewport.js';
import { Views } from '/js/views.js';

export function create(root, page) {
    return new Surface(root, page);
}

/** The picture as a surface to paint on: its elements, the parts that work on them, and where the pointer and the keys' cursor are. */
class Surface {
    constructor(root, page) {
        const find = selector => root.querySelector(selector);
        Object.assign(this, { root, page, pointer: null, cursor: null, off: new AbortController() });
        [this.frame, this.picture, this.before, this.overlay] = ['.frame', '.picture', '.before', '.overlay'].map(find);
        [this.cells, this.difference, this.mark, this.cellText] = ['.cells', '.difference', '.mark', '[data-cell]'].map(find);
        const on = (target, type, handle, options) => target.addEventListener(type, handle, { signal: this.off.signal, ...options });
        this.brush = new Brush(this);
        this.views = new Views(this);
        this.pictures = new Pictures(this, find('[data-speed]'));
        this.viewport = new Viewport(this.frame, this.picture, () => this.drawMark());
        this.pointers = new Pointers(this, on);
        this.keys = new Keys(this, on);
        on(root, 'dragover', event => [...event.dataTransfer.types].includes('Files') && event.preventDefault());
        on(root, 'drop', event => this.drop(event));
        on(window, 'hashchange', () => this.follow());
    }

    /** What this browser kept, for the page. */
    find() {
        return draft.find();
    }

    /** The kept stroke has no place in the recipe any more. */
    forget() {
        draft.forget();
    }

    keepSolo(solo) {
        draft.keepSolo(solo);
    }

    async open(recipe, canvas) {
        this.connection ??= await connect({
            onFrame: frame => this.pictures.show(frame),
            onChanged: change => draft.changed(change),
            onStatus: status => this.pictures.speed.waiting(status),
            onRejected: () => { },
            onPainted: (stroke, version) => this.root.dispatchEvent(new CustomEvent('saeunbox:painted', { detail: { version, at: stroke.at } })),
            onIdle: () => this.brush.arrived(),
            onTrouble: message => this.tell(message),
        });
        this.clearLink();
        return this.connection.open(recipe, canvas);
    }

    // A link put into the address of the open studio.
    follow() {
        const link = draft.link();
        if (!link) return;
        this.clearLink();
        this.page.invokeMethodAsync('Linked', link);
    }

    clearLink() {
        if (location.hash) history.replaceState(null, '', location.pathname + location.search);
    }

    close() {
        this.off.abort();
        URL.revokeObjectURL(this.icon);
        this.connection?.stop();
    }

    /** The selected layer, and the recipe it belongs to, as the server has them. */
    showLayer(layer) {
        this.recipe = layer.json;
        this.overlay.dataset.site = this.cells.dataset.site = layer.site;
        this.brush.take(layer);
        this.drawMark();
    }

    setBrush(size, hardness, erase) {
        Object.assign(this.brush, { size, hardness, erase });
        this.drawMark();
    }

    fill(how) {
        this.brush.fill(how);
    }

    setView(view) {
        return this.views.show(view);
    }

    zoom(step) {
        this.viewport.zoom(this.viewport.scale * (step > 0 ? 1.25 : .8));
    }

    async save(recipe) {
        download(await generate(recipe, 'image/png'), 'saeunbox.png');
    }

    async pictureOf(recipe) {
        const blob = await generate(recipe, 'image/png');
        URL.revokeObjectURL(this.icon);
        return this.icon = URL.createObjectURL(blob);
    }

    async drop(event) {
        const [file] = event.dataTransfer.files;
        if (!file) return;
        event.preventDefault();
        await this.page.invokeMethodAsync('Dropped', await recipeOf(file).catch(() => null));
    }

    /** Something went wrong: one sentence for the person who paints. */
    tell(message) {
        return this.page.invokeMethodAsync('Trouble', message);
    }

    drawMark() {
        this.placing ??= requestAnimationFrame(() => {
            this.placing = null;
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
