// How large the picture is shown, and which part of it: it fills its stage; where it is larger, the stage scrolls.
import { fit } from '/js/frame.js';

const most = 4, nearlyOne = 1.05;

export class Viewport {
    constructor(frame, picture, changed) {
        Object.assign(this, { frame, picture, changed, stage: frame.parentElement, scale: 1 });
        new ResizeObserver(() => this.fit()).observe(this.stage);
        this.fit();
    }

    /** Where a point of the window lies on the picture, 0 to 1 from the left and from the top. */
    place({ clientX, clientY }) {
        // Where the picture lies on the page is asked for once: the question has the browser lay the page out.
        const box = this.box ??= this.frame.getBoundingClientRect();
        return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
    }

    /** The picture may lie elsewhere now. */
    moved() {
        this.box = null;
    }

    fit() {
        this.side = fit(this.frame, this.picture, this.scale);
        this.moved();
        this.changed();
    }

    /** Shows it so many times as large as it fills the stage; what lies under a point of the window, or in the stage's middle, stays there. */
    zoom(scale, at = this.middle()) {
        const place = this.place(at);
        this.scale = bounded(scale);
        this.fit();
        this.put(place, at);
    }

    /** Takes hold of it by one point of the window or by two, as fingers do. */
    grip(points) {
        const at = between(points);
        this.held = { place: this.place(at), spread: spread(points), scale: this.scale };
    }

    /** The points it is held by moved: it goes with them. */
    drag(points) {
        const { place, spread: before, scale } = this.held;
        if (before > 0) {
            this.scale = bounded(scale * spread(points) / before);
            this.fit();
        }
        this.put(place, between(points));
    }

    /** Scrolls a place of the picture into sight. */
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

const bounded = scale => scale < nearlyOne ? 1 : Math.min(most, scale);

function between(points) {
    const mean = key => points.reduce((sum, point) => sum + point[key], 0) / points.length;
    return { clientX: mean('clientX'), clientY: mean('clientY') };
}

function spread([one, other]) {
    return other ? Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) : 0;
}
