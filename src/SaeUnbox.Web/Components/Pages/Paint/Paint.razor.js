// The Paint page in the browser. Blazor tells it the selected layer, the brush and the view; strokes and pictures go through the hub
// instead.
import { Brush } from '../../../js/brush.js';
import { drawCells, placeMark } from '../../../js/brush-overlay.js';
import { Keys } from '../../../js/brush-keys.js';
import { demonstrate } from '../../../js/demonstration.js';
import { download } from '../../../js/download.js';
import * as draft from '../../../js/draft.js';
import { generate } from '../../../js/generate.js';
import { connect } from '../../../js/paint-connection.js';
import { Pictures } from '../../../js/pictures.js';
import { recipeOf } from '../../../js/png-text.js';
import { Pointers } from '../../../js/pointers.js';
import { Viewport } from '../../../js/viewport.js';
import { Views } from '../../../js/views.js';

const maxThumbnails = 32;

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
        this.lasso = find('.lasso path');
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
        [this.recipe, this.version, this.edits] = ['', -1, []];
        this.thumbnails = new Thumbnails(root);
    }

    /** Returns what this browser stored of an earlier visit. */
    find() {
        return draft.find();
    }

    /** Deletes the stored stroke. */
    forget() {
        draft.forgetStroke();
    }

    /** Paints an example's mask once its layer and its first picture are there. */
    demonstrate(mask) {
        draft.storeSeen();
        this.example = mask;
        this.tryDemonstration();
    }

    tryDemonstration() {
        if (!this.example || this.brush.layer.index < 0 || this.frame.hasAttribute('data-empty')) return;
        demonstrate(this, this.example);
        this.example = null;
    }

    keepSolo(solo) {
        draft.storeSolo(solo);
    }

    async open(canvas) {
        this.connection ??= await connect({
            onOpened: draft.storeCanvas,
            onFrame: frame => this.pictures.show(frame),
            onRecipe: (recipe, version) => this.setRecipe(recipe, version),
            onChanged: change => draft.storeRecipe(change),
            onStatus: status => this.pictures.speed.waiting(status),
            onPainted: (stroke, version) => this.raise('painted', { version, at: stroke.at }),
            onIdle: () => this.brush.applyDeferred(),
            onError: message => this.showError(message),
        });
        this.clearLink();
        return this.connection.open(canvas);
    }

    // Opens a link that was entered in the address of the open page.
    openLink() {
        const link = draft.link();
        if (!link) return;
        this.clearLink();
        this.page.invokeMethodAsync('OpenLink', link);
    }

    // Neither a link nor a feature to add must act again after a reload or in a bookmark.
    clearLink() {
        const search = location.search.replace(/([?&])r(=|%(25)*3d)[^&]*&?/i, '$1').replace(/([?&])layer=[^&]*&?/, '$1').replace(/[?&]$/, '');
        if (location.hash || search !== location.search) history.replaceState(null, '', location.pathname + search);
    }

    close() {
        this.off.abort();
        this.thumbnails.stop();
        URL.revokeObjectURL(this.icon);
        this.connection?.stop();
    }

    /** Shows the selected layer, as soon as the hub has sent the recipe of its version. */
    showLayer(layer) {
        this.waitingLayer = layer;
        this.applyLayer();
    }

    setRecipe(recipe, version) {
        [this.recipe, this.version, this.edits] = [recipe, version, JSON.parse(recipe).edits ?? []];
        this.applyLayer();
    }

    applyLayer() {
        const layer = this.waitingLayer;
        if (!layer || this.version < layer.version) return;
        this.waitingLayer = null;
        this.overlay.dataset.site = this.cells.dataset.site = layer.site;
        const masks = this.edits.filter(edit => edit.enabled !== false).map(edit => edit.mask ?? null);
        this.brush.setLayer({ ...layer, mask: this.edits[layer.index]?.mask ?? null, masks });
        this.drawMark();
        this.tryDemonstration();
    }

    setBrush(size, hardness, tool, hasKeys) {
        this.brush.choose(size, hardness, tool);
        this.keys.isOff = !hasKeys;
        this.drawMark();
    }

    unselect() {
        this.brush.unselect();
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

    /** Saves the picture of this version, which the hub may still have to send. */
    async save(version, name) {
        for (let wait = 0; wait < 20 && this.version < version; wait++) await new Promise(resolve => setTimeout(resolve, 50));
        download(await generate(this.recipe, 'image/png'), name);
    }

    /** Returns the address of a feature's icon. */
    async iconOf(site, feature) {
        const recipe = { ...JSON.parse(this.recipe), prompt: '', interventions: [{ kind: 'icon', site, feature }] };
        delete recipe.edits;
        const blob = await generate(JSON.stringify(recipe), 'image/png');
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

/** The thumbnails of the history. They stay in this tab: the page names a picture by its version. */
class Thumbnails {
    constructor(root) {
        Object.assign(this, { root, urls: new Map(draft.loadThumbnails()), observer: new MutationObserver(() => this.show()) });
        this.observer.observe(root, { childList: true, subtree: true, attributeFilter: ['data-picture', 'aria-pressed'] });
    }

    add(version, url) {
        this.urls.set(version, url);
        if (this.urls.size > maxThumbnails) this.urls.delete(this.urls.keys().next().value);
        draft.storeThumbnails([...this.urls]);
    }

    show() {
        for (const image of this.root.querySelectorAll('img[data-picture]')) {
            const url = this.urls.get(+image.dataset.picture);
            if (url && image.src !== url) image.src = url;
        }
        const shown = this.root.querySelector('.history [aria-pressed="true"]');
        if (shown === this.shown) return;
        this.shown = shown;
        // Only the strip scrolls, not the page.
        shown?.closest('.history').scrollTo({ left: shown.parentElement.offsetLeft - 120 });
    }

    stop() {
        this.observer.disconnect();
    }
}
