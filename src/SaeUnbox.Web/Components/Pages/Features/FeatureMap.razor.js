// Shows dictionaries as maps, each site in its own field. Pointing at a feature or tapping it shows its picture and name; a click or a
// second tap opens it. Arrow keys go to the next feature, and Enter opens it. The wheel, the buttons, plus and minus zoom; dragging moves
// the map.
import { regions } from '../../../js/regions.js';

const margin = 20, reach = 24, maxScale = 24, patience = 400;
// Enlargements from which thumbnails take the place of dots, and single names that of regions.
const picturesFrom = 3, namesFrom = 5;
const arrows = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

export function create(root, page, map) {
    return new Plane(root, page, map);
}

class Plane {
    constructor(root, page, { pictures, sites, places, view }) {
        const find = selector => root.querySelector(selector);
        [this.canvas, this.tip, this.announcement] = ['canvas', '.tip', '[data-announcement]'].map(find);
        Object.assign(this, { root, page, pictures, sites, places, start: view, view: { x: 0, y: 0, scale: 1 }, near: null, drag: null });
        Object.assign(this, { hits: null, sheets: new Map() });
        this.regions = sites.flatMap(site => regions(places.filter(one => one.site === site.code)));
        this.off = new AbortController();
        const on = (target, type, handle, options) => target.addEventListener(type, handle, { signal: this.off.signal, ...options });
        on(this.canvas, 'pointerdown', event => this.down(event));
        on(this.canvas, 'pointermove', event => this.move(event));
        on(this.canvas, 'pointerleave', event => event.pointerType === 'mouse' && this.show(null));
        on(this.canvas, 'click', event => this.click(event));
        on(this.canvas, 'keydown', event => this.key(event));
        on(this.canvas, 'wheel', event => {
            event.preventDefault();
            this.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, this.place(event));
        }, { passive: false });
        for (const button of root.querySelectorAll('[data-zoom]'))
            on(button, 'click', () => this.zoom(button.dataset.zoom === 'in' ? 1.5 : 1 / 1.5));
        this.size = new ResizeObserver(() => {
            const ratio = devicePixelRatio || 1;
            [this.width, this.height] = [root.clientWidth, root.clientHeight];
            if (this.start) {
                this.view = { x: this.start.x * this.width, y: this.start.y * this.height, scale: this.start.scale };
                this.start = null;
            }
            Object.assign(this.canvas, { width: this.width * ratio, height: this.height * ratio });
            this.canvas.getContext('2d').scale(ratio, ratio);
            this.draw();
        });
        this.size.observe(root);
        this.theme = new MutationObserver(() => this.draw());
        this.theme.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    }

    close() {
        this.off.abort();
        this.size.disconnect();
        this.theme.disconnect();
        clearTimeout(this.moved);
    }

    /** Highlights the features with these keys, SITE:FEATURE; null highlights none. */
    highlight(keys) {
        this.hits = keys && new Set(keys);
        this.draw();
    }

    // Tells the page what is shown, so that its address can.
    report() {
        clearTimeout(this.moved);
        this.moved = setTimeout(() => {
            const { x, y, scale } = this.view;
            this.page.invokeMethodAsync('Moved', x / this.width, y / this.height, scale).catch(() => { });
        }, patience);
    }

    /** The field of a site, before enlargement. */
    field(code) {
        const count = this.sites.length, columns = count > 1 ? 2 : 1, rows = Math.ceil(count / columns);
        const index = this.sites.findIndex(site => site.code === code), [width, height] = [this.width / columns, this.height / rows];
        return { left: index % columns * width, top: Math.floor(index / columns) * height, width, height };
    }

    /** Returns a feature's position on the canvas. */
    at({ site, x, y }) {
        const { view } = this, { left, top, width, height } = this.field(site);
        const on = (share, from, side) => from + margin + share * (side - 2 * margin);
        return { x: (on(x, left, width) - view.x) * view.scale, y: (on(y, top, height) - view.y) * view.scale };
    }

    place(event) {
        const box = this.canvas.getBoundingClientRect();
        return { x: event.clientX - box.left, y: event.clientY - box.top };
    }

    nearest(point, within) {
        const distance = feature => Math.hypot(this.at(feature).x - point.x, this.at(feature).y - point.y);
        return this.places.reduce((best, feature) => distance(feature) < (best ? distance(best) : within) ? feature : best, null);
    }

    show(near) {
        this.near = near;
        this.tip.hidden = !near;
        if (near) {
            const { x, y } = this.at(near);
            const [picture, text] = this.tip.children;
            if (near.tile) picture.src = this.pictures + near.tile;
            else picture.removeAttribute('src');
            text.textContent = `#${near.feature} ${near.name ?? ''}`;
            this.tip.href = `features/${near.site}/${near.feature}`;
            Object.assign(this.tip.style, {
                left: `${Math.max(4, Math.min(x + 14, this.width - this.tip.offsetWidth - 4))}px`,
                top: `${Math.max(4, Math.min(y + 14, this.height - this.tip.offsetHeight - 4))}px`,
            });
        }
        this.draw();
    }

    open() {
        // Clicking the link lets Blazor change the page without a reload.
        if (this.near) this.tip.click();
    }

    down(event) {
        if (!event.isPrimary) return;
        this.drag = { ...this.place(event), moved: false, before: this.near };
        if (event.pointerType !== 'mouse') this.show(this.nearest(this.drag, reach));
    }

    move(event) {
        if (!event.isPrimary) return;
        const point = this.place(event);
        if (!event.buttons || !this.drag) return this.show(this.nearest(point, reach));
        const [x, y] = [point.x - this.drag.x, point.y - this.drag.y];
        this.drag.moved ||= Math.hypot(x, y) > 4;
        if (!this.drag.moved) return;
        this.view.x -= x / this.view.scale;
        this.view.y -= y / this.view.scale;
        Object.assign(this.drag, point);
        this.show(this.near);
        this.report();
    }

    click(event) {
        const wasSeen = event.pointerType === 'mouse' || this.near === this.drag?.before;
        if (this.drag && !this.drag.moved && wasSeen) this.open();
    }

    key(event) {
        const closer = { '+': 1.2, '=': 1.2, '-': 1 / 1.2 }[event.key];
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (arrows[event.key]) this.walk(arrows[event.key]);
        else if (closer) this.zoom(closer, this.near ? this.at(this.near) : undefined);
        else if (event.key === 'Enter') this.open();
        else if (event.key === 'Escape') this.show(null);
        else return;
        event.preventDefault();
    }

    /** Goes to the nearest feature in a direction. */
    walk([right, down]) {
        const from = this.near ? this.at(this.near) : null;
        const next = from
            ? this.places.map(feature => {
                const [x, y] = [this.at(feature).x - from.x, this.at(feature).y - from.y];
                return { feature, along: x * right + y * down, aside: Math.abs(x * down) + Math.abs(y * right) };
            }).filter(({ along, aside }) => along > 0 && along >= aside)
                .sort((a, b) => a.along + 2 * a.aside - b.along - 2 * b.aside)[0]?.feature
            : this.nearest({ x: this.width / 2, y: this.height / 2 }, Infinity);
        if (!next) return;
        const { x, y } = this.at(next), { view } = this;
        if (x < margin || x > this.width - margin) view.x += (x - this.width / 2) / view.scale;
        if (y < margin || y > this.height - margin) view.y += (y - this.height / 2) / view.scale;
        this.show(next);
        this.report();
        this.announcement.textContent = `${this.tip.textContent}. Enter opens it.`;
    }

    zoom(factor, point = { x: this.width / 2, y: this.height / 2 }) {
        const { view } = this, next = Math.min(maxScale, Math.max(1, view.scale * factor));
        view.x += point.x / view.scale - point.x / next;
        view.y += point.y / view.scale - point.y / next;
        view.scale = next;
        if (next === 1) Object.assign(view, { x: 0, y: 0 });
        this.show(this.near);
        this.report();
    }

    draw() {
        if (!this.width) return;
        const context = this.canvas.getContext('2d'), style = getComputedStyle(this.root), { scale } = this.view;
        context.clearRect(0, 0, this.width, this.height);
        this.colours = Object.fromEntries(this.sites.map(({ code }) => [code, this.hue(code)]));
        const seen = this.places.map(feature => ({ feature, ...this.at(feature) }))
            .filter(({ x, y }) => x > -40 && y > -40 && x < this.width + 40 && y < this.height + 40);
        const isHit = feature => this.hits?.has(`${feature.site}:${feature.feature}`);
        // Hits are drawn last, above the others.
        seen.sort((a, b) => isHit(a.feature) - isHit(b.feature));
        for (const { feature, x, y } of seen) {
            const isPlain = !this.hits && scale < picturesFrom;
            context.globalAlpha = feature === this.near ? 1 : isPlain ? .75 : !this.hits || isHit(feature) ? 1 : .15;
            if (scale < picturesFrom || !this.drawTile(context, feature, x, y, Math.min(48, 9 * scale))) this.drawDot(context, feature, x, y);
        }
        context.globalAlpha = 1;
        this.drawNames(context, style, seen);
    }

    hue(site) {
        return getComputedStyle(this.root.querySelector(`[hidden][data-site="${site}"]`)).getPropertyValue('--hue');
    }

    drawDot(context, feature, x, y) {
        const size = feature === this.near ? 8 : 3 + 3 * Math.min(1, Math.sqrt(feature.frequency ?? 0) * 3);
        context.fillStyle = this.colours[feature.site];
        context.beginPath();
        context.arc(x, y, size, 0, 2 * Math.PI);
        context.fill();
    }

    /** Draws a feature's thumbnail; returns whether it has one and its sheet is loaded. */
    drawTile(context, { site, sheet }, x, y, side) {
        if (!sheet) return false;
        if (!this.sheets.has(sheet.picture)) {
            const picture = Object.assign(new Image(), { src: this.pictures + sheet.picture, onload: () => this.draw() });
            this.sheets.set(sheet.picture, picture);
        }
        const picture = this.sheets.get(sheet.picture);
        if (!picture.complete || !picture.naturalWidth) return false;
        context.drawImage(picture, sheet.x, sheet.y, sheet.size, sheet.size, x - side / 2, y - side / 2, side, side);
        context.strokeStyle = this.colours[site];
        context.lineWidth = 1.5;
        context.strokeRect(x - side / 2, y - side / 2, side, side);
        return true;
    }

    /** Names fields, regions and, from close by, single features, as far as there is room. */
    drawNames(context, style, seen) {
        const { scale } = this.view, taken = [];
        context.textBaseline = 'middle';
        context.lineJoin = 'round';
        context.strokeStyle = style.backgroundColor;
        context.lineWidth = 4;
        const write = (text, x, y, colour, size, weight) => {
            context.font = `${weight} ${size}px system-ui, sans-serif`;
            const width = context.measureText(text).width;
            const box = [x - width / 2 - 4, y - size / 2 - 3, x + width / 2 + 4, y + size / 2 + 3];
            if (taken.some(other => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) return;
            taken.push(box);
            context.fillStyle = colour;
            context.strokeText(text, x - width / 2, y);
            context.fillText(text, x - width / 2, y);
        };
        if (this.sites.length > 1)
            for (const { code, name } of this.sites) {
                const { left, top, width } = this.field(code);
                write(name, (left + width / 2 - this.view.x) * scale, (top + 12 - this.view.y) * scale, this.colours[code], 14, 700);
            }
        if (scale < namesFrom)
            for (const region of this.regions) {
                const { x, y } = this.at(region);
                if (x > 0 && y > 0 && x < this.width && y < this.height) write(region.name, x, y, style.color, 12, 600);
            }
        else
            for (const { feature, x, y } of seen)
                if (feature.name) write(feature.name, x, y + 34, style.color, 12, 500);
    }
}
