// Draws feature maps over the picture and ranks the features under the cursor, all in the browser.
import { colours } from '../../../js/colours.js';
import { download } from '../../../js/download.js';
import { fit } from '../../../js/frame.js';

const maxRanked = 10;
// The multiple of a feature's mean that fills its bar.
const fullBar = 3;

export function create(root) {
    return new View(root);
}

class View {
    constructor(root) {
        const find = selector => root.querySelector(selector);
        [this.picture, this.overlay, this.under, this.readout] = ['.picture', '.overlay', '[data-under]', '[data-readout]'].map(find);
        [this.opacity, this.palette, this.heat] = ['[data-opacity]', '[data-colours]', '[data-heat]'].map(find);
        Object.assign(this, { root, maps: new Map(), off: new AbortController() });
        const on = (target, type, handle) => target.addEventListener(type, handle, { signal: this.off.signal });
        on(this.overlay, 'pointermove', event => this.point(event));
        on(this.overlay, 'pointerdown', event => this.point(event));
        // A lifted finger leaves its place selected.
        on(this.overlay, 'pointerleave', event => event.pointerType === 'mouse' && this.setPlace(null));
        on(this.overlay, 'keydown', event => this.key(event));
        on(this.overlay, 'blur', () => this.setPlace(null));
        on(this.opacity, 'input', () => this.showHeat(true));
        on(this.heat, 'click', () => this.showHeat(!this.hasHeat));
        // Holding the button, by pointer or key, shows the picture without the change.
        const isCompare = event => event.target.closest?.('[data-before]') && (!event.key || event.key === ' ' || event.key === 'Enter');
        for (const type of ['pointerdown', 'keydown']) on(root, type, event => isCompare(event) && this.compare(true));
        for (const type of ['pointerup', 'pointercancel', 'keyup', 'blur']) on(window, type, () => this.compare(false));
        on(document, 'keydown', event => {
            const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === 'z';
            if (!isUndo || event.target.matches('input, textarea, select')) return;
            event.preventDefault();
            find('[data-undo]').click();
        });
        on(this.palette, 'change', () => this.draw());
        this.size = new ResizeObserver(() => this.fit());
        this.size.observe(root.querySelector('.stage'));
    }

    close() {
        this.off.abort();
        this.size.disconnect();
    }

    /** Saves the picture's file, which contains the recipe. */
    save(name) {
        download(this.file, name);
    }

    /** Shows a picture and its maps; a changed one without heat, so that the change is seen. */
    async show(bytes, sites, isChanged) {
        this.file = new Blob([bytes], { type: 'image/png' });
        this.shown = await createImageBitmap(this.file);
        if (!isChanged) this.unchanged = this.shown;
        this.compare(false);
        this.showHeat(!isChanged);
        this.setMaps(sites);
        this.fit();
    }

    setMaps(sites) {
        this.maps = new Map(sites.map(site => [site.site, {
            ...site, indices: new Int32Array(aligned(site.indices)), values: new Float32Array(aligned(site.values)),
        }]));
        this.draw();
        this.rank();
    }

    select(site, feature, showsHeat) {
        Object.assign(this, { site, feature });
        this.showHeat(showsHeat || this.hasHeat);
    }

    get hasHeat() {
        return this.heat.getAttribute('aria-pressed') === 'true';
    }

    showHeat(isOn) {
        this.heat.setAttribute('aria-pressed', isOn);
        this.draw();
    }

    compare(isOn) {
        const bitmap = isOn ? this.unchanged : this.shown;
        if (!bitmap || bitmap === this.drawn) return;
        this.drawn = bitmap;
        Object.assign(this.picture, { width: bitmap.width, height: bitmap.height });
        this.picture.getContext('2d').drawImage(bitmap, 0, 0);
        this.overlay.hidden = isOn;
    }

    /** Returns the selected site's map with the selected feature's activation in each cell. */
    selectedMap() {
        const map = this.maps.get(this.site);
        if (!map || this.feature < 0) return null;
        const cells = new Float32Array(map.rows * map.columns);
        map.indices.forEach((index, i) => { if (index === this.feature) cells[Math.floor(i / map.k)] += map.values[i]; });
        return { ...map, cells };
    }

    fit() {
        const { width, height } = fit(this.root.querySelector('.frame'), this.picture);
        Object.assign(this.overlay, { width: Math.round(width), height: Math.round(height) });
        this.draw();
    }

    draw() {
        const context = this.overlay.getContext('2d'), { width, height } = this.overlay;
        context.clearRect(0, 0, width, height);
        const selected = this.hasHeat && this.selectedMap();
        if (selected) this.drawHeat(context, selected);
        const map = this.maps.get(this.site) ?? this.maps.values().next().value;
        if (this.place && map) {
            const { row, column } = this.cell(map), [cellWidth, cellHeight] = [width / map.columns, height / map.rows];
            context.strokeStyle = '#fff';
            context.lineWidth = 2;
            context.strokeRect(column * cellWidth + 1, row * cellHeight + 1, cellWidth - 2, cellHeight - 2);
        }
    }

    drawHeat(context, { cells, rows, columns }) {
        const max = Math.max(...cells), colour = colours[this.palette.value];
        if (max <= 0) return;
        const { width, height } = this.overlay, edge = (index, side, count) => Math.round(index * side / count);
        cells.forEach((value, i) => {
            const level = Math.min(255, Math.floor(value / max * 256));
            if (level === 0) return;
            // Fades to nothing where there is nothing.
            context.globalAlpha = +this.opacity.value * Math.min(1, 2 * level / 255);
            const row = Math.floor(i / columns), column = i % columns;
            const [x, y] = [edge(column, width, columns), edge(row, height, rows)];
            context.fillStyle = colour(level / 255);
            context.fillRect(x, y, edge(column + 1, width, columns) - x, edge(row + 1, height, rows) - y);
        });
        context.globalAlpha = 1;
    }

    /** The cell of a map at the selected place. */
    cell({ rows, columns }) {
        return { row: Math.floor(bounded(this.place.y) * rows), column: Math.floor(bounded(this.place.x) * columns) };
    }

    point(event) {
        const box = this.overlay.getBoundingClientRect();
        this.setPlace({ x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
    }

    key(event) {
        const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
        const map = this.maps.get(this.site);
        if (!step || !map) return;
        event.preventDefault();
        const from = this.place ?? { x: .5, y: .5 };
        this.setPlace({ x: bounded(from.x + step[0] / map.columns), y: bounded(from.y + step[1] / map.rows) });
    }

    setPlace(place) {
        this.place = place;
        this.draw();
        this.rank();
    }

    /** Lists the features that are active at the selected place, over all sites. */
    rank() {
        if (!this.place) {
            this.readout.textContent = '';
            return;
        }
        const found = [];
        for (const map of this.maps.values()) {
            const { row, column } = this.cell(map), start = (row * map.columns + column) * map.k;
            for (let i = start; i < start + map.k; i++) {
                const [feature, value] = [map.indices[i], map.values[i]], card = map.cards[feature];
                if (value > 0) found.push({ map, feature, value, name: card?.name, times: card?.mean > 0 ? value / card.mean : null });
            }
        }
        // Sites differ in scale, so features are compared in units of their means.
        found.sort((a, b) => (b.times ?? 0) - (a.times ?? 0) || b.value - a.value);
        const selected = found.find(one => one.map.site === this.site && one.feature === this.feature);
        this.readout.textContent = selected ? `#${this.feature}: ${activation(selected)}` : '';
        this.under.replaceChildren(...found.slice(0, maxRanked).map(listItem));
    }
}

// In the unit of the other lists of the page.
const activation = ({ value, times }) => times === null ? value.toFixed(2) : `×${times.toFixed(times < .0995 ? 3 : times < .995 ? 2 : 1)}`;

function listItem(one) {
    const { map, feature, value, name, times } = one;
    const link = element('a', 'pick', { href: `features/${map.site}/${feature}` });
    link.append(element('strong', '', { textContent: name ?? `feature ${feature}` }), ' ',
        element('span', 'chip mono', { textContent: `#${feature}` }, map.site));
    const bar = element('meter', '', {
        min: 0, max: fullBar, value: Math.min(fullBar, times ?? 0), ariaLabel: `${name ?? 'feature'} ${feature}`,
    });
    const item = element('li', 'row', {}, map.site);
    item.append(link, bar, element('span', 'mono small value', { textContent: activation(one), title: `Activation ${value.toFixed(3)}` }));
    return item;
}

function element(name, className, properties, site) {
    const made = Object.assign(document.createElement(name), { className, ...properties });
    if (site) made.dataset.site = site;
    return made;
}

const bounded = value => Math.min(.9999, Math.max(0, value));
// Typed arrays need their own buffer.
const aligned = bytes => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
