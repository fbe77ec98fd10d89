// Draws feature maps over the picture and ranks the features under the cursor, all in the browser.
import { colours } from '/js/colours.js';
import { download } from '/js/download.js';
import { fit } from '/js/frame.js';

const mostUnder = 10;

export function create(root) {
    return new View(root);
}

class View {
    constructor(root) {
        const find = selector => root.querySelector(selector);
        Object.assign(this, { root, picture: find('.picture'), overlay: find('.overlay'), under: find('[data-under]'), readout: find('[data-readout]') });
        [this.opacity, this.palette] = [find('[data-opacity]'), find('[data-colours]')];
        this.maps = new Map();
        this.off = new AbortController();
        const on = (target, type, handle) => target.addEventListener(type, handle, { signal: this.off.signal });
        on(this.overlay, 'pointermove', event => this.point(event));
        on(this.overlay, 'pointerdown', event => this.point(event));
        // A finger is always lifted; what it touched stays.
        on(this.overlay, 'pointerleave', event => event.pointerType === 'mouse' && this.at(null));
        on(this.overlay, 'keydown', event => this.key(event));
        on(this.overlay, 'blur', () => this.at(null));
        on(this.opacity, 'input', () => this.draw());
        on(this.palette, 'change', () => this.draw());
        this.size = new ResizeObserver(() => this.fit());
        this.size.observe(root.querySelector('.stage'));
    }

    close() {
        this.off.abort();
        this.size.disconnect();
    }

    /** The picture as it came, its recipe inside. */
    save() {
        download(this.file, 'saeunbox.png');
    }

    async show(bytes, sites) {
        this.file = new Blob([bytes], { type: 'image/png' });
        const bitmap = await createImageBitmap(this.file);
        Object.assign(this.picture, { width: bitmap.width, height: bitmap.height });
        this.picture.getContext('2d').drawImage(bitmap, 0, 0);
        this.maps = new Map(sites.map(site => [site.site, {
            ...site, indices: new Int32Array(aligned(site.indices)), values: new Float32Array(aligned(site.values)),
        }]));
        this.fit();
    }

    select(site, feature) {
        Object.assign(this, { site, feature });
        this.draw();
    }

    /** Activations of the chosen feature, cell by cell. */
    field() {
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
        const field = this.field();
        if (field) {
            const least = Math.min(...field.cells), most = Math.max(...field.cells);
            const table = colours[this.palette.value];
            // A map that is the same everywhere says nothing about where: nothing is drawn.
            if (most > least)
                field.cells.forEach((value, i) => {
                    const level = Math.min(255, Math.floor((value - least) / (most - least) * 256));
                    if (level === 0) return;
                    context.globalAlpha = +this.opacity.value;
                    context.fillStyle = table(level / 255);
                    const row = Math.floor(i / field.columns), column = i % field.columns;
                    const [x, y] = [Math.round(column * width / field.columns), Math.round(row * height / field.rows)];
                    context.fillRect(x, y, Math.round((column + 1) * width / field.columns) - x, Math.round((row + 1) * height / field.rows) - y);
                });
            context.globalAlpha = 1;
        }
        const map = this.maps.get(this.site) ?? this.maps.values().next().value;
        if (this.cell && map) {
            context.strokeStyle = '#fff';
            context.lineWidth = 2;
            context.strokeRect(this.cell.column(map) * width / map.columns + 1, this.cell.row(map) * height / map.rows + 1, width / map.columns - 2, height / map.rows - 2);
        }
    }

    point(event) {
        const box = this.overlay.getBoundingClientRect();
        this.at({ x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
    }

    key(event) {
        const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
        const map = this.maps.get(this.site);
        if (!step || !map) return;
        event.preventDefault();
        const from = this.place ?? { x: .5, y: .5 };
        this.at({ x: inside(from.x + step[0] / map.columns), y: inside(from.y + step[1] / map.rows) });
    }

    at(place) {
        this.place = place;
        this.cell = place && { row: map => Math.floor(inside(place.y) * map.rows), column: map => Math.floor(inside(place.x) * map.columns) };
        this.draw();
        this.rank();
    }

    rank() {
        if (!this.cell) {
            this.readout.textContent = '';
            return;
        }
        const found = [];
        for (const map of this.maps.values()) {
            const start = (this.cell.row(map) * map.columns + this.cell.column(map)) * map.k;
            // Strengths of sites differ in size: a feature counts by its share of what its site says of this cell.
            let total = 0;
            for (let i = start; i < start + map.k; i++) total += map.values[i];
            for (let i = start; i < start + map.k; i++)
                if (map.values[i] > 0) found.push({ map, feature: map.indices[i], value: map.values[i], share: map.values[i] / total });
        }
        found.sort((a, b) => b.share - a.share);
        const chosen = found.find(one => one.map.site === this.site && one.feature === this.feature);
        this.readout.textContent = chosen ? `#${this.feature}: ${chosen.value.toFixed(2)}` : '';
        this.under.replaceChildren(...found.slice(0, mostUnder).map(row));
    }
}

function row({ map, feature, value, share }) {
    const link = element('a', 'pick', { href: `/features/${map.site}/${feature}` });
    link.append(element('strong', '', { textContent: map.names[feature] ?? `feature ${feature}` }), ' ', element('span', 'chip mono', { textContent: `#${feature}` }, map.site));
    const bar = element('meter', '', { min: 0, max: 1, value: share });
    const item = element('li', 'row', {}, map.site);
    item.append(link, bar, element('span', 'mono small value', { textContent: value.toFixed(2) }));
    return item;
}

function element(name, className, properties, site) {
    const made = Object.assign(document.createElement(name), { className, ...properties });
    if (site) made.dataset.site = site;
    return made;
}

const inside = value => Math.min(.9999, Math.max(0, value));
const aligned = bytes => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
