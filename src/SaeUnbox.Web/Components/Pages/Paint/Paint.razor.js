// The Paint page in the browser. Blazor tells it the selected layer, the brush and the view; strokes and pictures go through the hub
// instead.
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

/** The painting surface: the picture's elements, the classes that work on them, and the positions of the pointer and the cell cursor. */
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
        on(window, 'hashchange', () => this.openLink());
    }

    /** Returns what this browser stored of an earlier visit. */
    find() {
        return draft.find();
    }

    /** Deletes the stored stroke. */
    forget() {
        draft.forgetStroke();
    }

    keepSolo(solo) {
        draft.storeSolo(solo);
    }

    async open(recipe, canvas) {
        this.connection ??= await connect({
            onFrame: frame => this.pictures.show(frame),
            onChanged: change => draft.storeRecipe(change),
            onStatus: status => this.pictures.speed.waiting(status),
            onPainted: (stroke, version) => this.raise('painted', { version, at: stroke.at }),
            onIdle: () => this.brush.applyDeferred(),
            onError: message => this.showError(message),
        });
        this.clearLink();
        return this.connection.open(recipe, canvas);
    }

    // Opens a link that was entered in the address of the open page.
    openLink() {
        const link = draft.link();
        if (!link) return;
        this.clearLink();
        this.page.invokeMethodAsync('OpenLink', link);
    }

    clearLink() {
        if (location.hash) history.replaceState(null, '', location.pathname + location.search);
    }

    close() {
        this.off.abort();
        URL.revokeObjectURL(this.icon);
        this.connection?.stop();
    }

    /** Shows the selected layer. */
    showLayer(layer) {
        this.recipe = layer.json;
        this.overlay.dataset.site = this.cells.dataset.site = layer.site;
        this.brush.setLayer(layer);
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
        await this.page.invokeMethodAsync('OpenPicture', await recipeOf(file).catch(() => null));
    }

    /** Shows an error, one sentence, to the visitor. */
    showError(message) {
        return this.page.invokeMethodAsync('ShowError', message);
    }

    /** Raises an event that programs can listen to, such as saeunbox:painted. */
    raise(name, detail) {
        this.root.dispatchEvent(new CustomEvent(`saeunbox:${name}`, { detail }));
    }

    drawMark() {
        this.markFrame ??= requestAnimationFrame(() => {
            this.markFrame = null;
            placeMark(this);
        });
    }

    drawMask() {
        this.maskFrame ??= requestAnimationFrame(() => {
            this.maskFrame = null;
            drawCells(this);
        });
    }
}
