// Shows a dictionary as a map. Pointing at a feature or tapping it shows its name; a click or a second tap opens it. Arrow keys go to the
// next
// feature, and Enter opens it. The wheel, the buttons, plus and minus zoom; dragging moves the map.

const margin = 20, reach = 24, maxScale = 12;
const arrows = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

export function create(root, places) {
    return new Plane(root, places);
}

class Plane {
    constructor(root, places) {
        const find = selector => root.querySelector(selector);
        [this.canvas, this.tip, this.announcement] = ['canvas', '.tip', '[data-announcement]'].map(find);
        Object.assign(this, { root, places, view: { x: 0, y: 0, scale: 1 }, near: null, drag: null });
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
    }

    /** Returns a feature's position on the canvas. */
    at({ x, y }) {
        const { view } = this, on = (share, side) => margin + share * (side - 2 * margin);
        return { x: (on(x, this.width) - view.x) * view.scale, y: (on(y, this.height) - view.y) * view.scale };
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
            this.tip.textContent = `#${near.feature} ${near.name ?? ''}`;
            this.tip.href = `features/${this.root.dataset.site}/${near.feature}`;
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
        this.announcement.textContent = `${this.tip.textContent}. Enter opens it.`;
    }

    zoom(factor, point = { x: this.width / 2, y: this.height / 2 }) {
        const { view } = this, next = Math.min(maxScale, Math.max(1, view.scale * factor));
        view.x += point.x / view.scale - point.x / next;
        view.y += point.y / view.scale - point.y / next;
        view.scale = next;
        if (next === 1) Object.assign(view, { x: 0, y: 0 });
        this.show(this.near);
    }

    draw() {
        const context = this.canvas.getContext('2d'), style = getComputedStyle(this.root);
        context.clearRect(0, 0, this.width, this.height);
        context.fillStyle = style.getPropertyValue('--hue');
        for (const feature of this.places) {
            const { x, y } = this.at(feature);
            context.globalAlpha = feature === this.near ? 1 : .7;
            context.beginPath();
            context.arc(x, y, feature === this.near ? 8 : 3 + 3 * Math.min(1, Math.sqrt(feature.frequency ?? 0) * 3), 0, 2 * Math.PI);
            context.fill();
        }
        context.globalAlpha = 1;
        if (this.view.scale < 1.8) return;
        context.fillStyle = style.color;
        context.font = '12px system-ui, sans-serif';
        for (const feature of this.places)
            if (feature.name) context.fillText(feature.name, this.at(feature).x + 8, this.at(feature).y + 4);
    }
}
