// Scales and scrolls the picture. At scale 1 it fills the stage; beyond, the stage scrolls.
import { fit } from './frame.js';

const maxScale = 4, nearlyOne = 1.05;

export class Viewport {
    constructor(frame, picture, changed) {
        Object.assign(this, { frame, picture, changed, stage: frame.parentElement, scale: 1 });
        new ResizeObserver(() => this.fit()).observe(this.stage);
        this.fit();
    }

    /** Returns the place of a window's point on the picture, 0 to 1 from the left and from the top. */
    place({ clientX, clientY }) {
        // Cached, because reading it makes the browser lay out the page.
        const box = this.box ??= this.frame.getBoundingClientRect();
        return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
    }

    /** Called when the picture may have moved on the page. */
    moved() {
        this.box = null;
    }

    fit() {
        this.side = fit(this.frame, this.picture, this.scale);
        this.moved();
        this.changed();
    }

    /** Sets the scale and keeps the place at a window's point, by default the middle of the stage, where it is. */
    zoom(scale, at = this.middle()) {
        const place = this.place(at);
        this.scale = bounded(scale);
        this.fit();
        this.put(place, at);
    }

    /** Starts to drag with one or two points of the window. */
    grip(points) {
        const at = between(points);
        this.held = { place: this.place(at), spread: spread(points), scale: this.scale };
    }

    /** Moves and scales the picture with the points. */
    drag(points) {
        const { place, spread: before, scale } = this.held;
        if (before > 0) {
            this.scale = bounded(scale * spread(points) / before);
            this.fit();
        }
        this.put(place, between(points));
    }

    /** Scrolls a place of the picture into view. */
    reveal(place) {
        if (this.scale === 1) return;
        const sight = this.stage.getBoundingClientRect(), box = this.frame.getBoundingClientRect(), edge = 24;
        const inside = (value, from, to) => Math.min(to - edge, Math.max(from + edge, value));
        this.put(place, {
            clientX: inside(box.left + place.x * box.width, sight.left, sight.right),
            clientY: inside(box.top + place.y * box.height, sight.top, sight.bottom),
        });
    }

    put(place, { clientX, clientY }) {
        const box = this.frame.getBoundingClientRect();
        this.stage.scrollLeft += box.left + place.x * box.width - clientX;
        this.stage.scrollTop += box.top + place.y * box.height - clientY;
        this.moved();
    }

    middle() {
        const { left, top, width, height } = this.stage.getBoundingClientRect();
        return { clientX: left + width / 2, clientY: top + height / 2 };
    }
}

const bounded = scale => scale < nearlyOne ? 1 : Math.min(maxScale, scale);

function between(points) {
    const mean = key => points.reduce((sum, point) => sum + point[key], 0) / points.length;
    return { clientX: mean('clientX'), clientY: mean('clientY') };
}

function spread([one, other]) {
    return other ? Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) : 0;
}
