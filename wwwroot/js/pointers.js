// Pointers on the picture. The first one paints or moves the divider; two fingers or the middle button move the picture.

const restDelay = 120; // milliseconds

export class Pointers {
    constructor(surface, on) {
        Object.assign(this, { surface, doing: null, id: null, fingers: new Map() });
        const { overlay, viewport } = surface;
        for (const type of ['pointerenter', 'pointerdown']) on(overlay, type, () => viewport.moved(), { capture: true });
        on(document, 'scroll', () => viewport.moved(), { capture: true, passive: true });
        on(overlay, 'pointerdown', event => this.down(event));
        on(overlay, 'pointermove', event => this.move(event));
        for (const type of ['pointerup', 'pointercancel']) on(overlay, type, event => this.up(event));
        on(overlay, 'pointerleave', event => this.leave(event));
        // Without this, the middle button starts the browser's scrolling.
        on(overlay, 'mousedown', event => event.button === 1 && event.preventDefault());
        on(overlay, 'wheel', event => this.wheel(event), { passive: false });
    }

    down(event) {
        const { surface, fingers } = this;
        surface.overlay.setPointerCapture(event.pointerId);
        if (event.pointerType === 'touch') {
            fingers.set(event.pointerId, event);
            // While a pen paints, touches of the hand are ignored.
            if (fingers.size > 1 && (this.id === null || fingers.has(this.id))) return this.pinch();
        }
        if (this.doing) return;
        const doing = event.button === 1 ? 'move' : event.button !== 0 ? null : surface.views.view === 'slider' ? 'slide' : 'paint';
        if (!doing) return;
        if (doing === 'paint' && !surface.brush.canPaint) {
            surface.showError('Choose a feature first. It becomes the layer that the brush paints.');
            return;
        }
        if (doing === 'paint' && ['eraser', 'move'].includes(surface.brush.tool) && surface.brush.isBlank) {
            surface.showError('Nothing is painted on this layer yet. Choose the brush (B) and drag on the picture.');
            return;
        }
        Object.assign(this, { doing, id: event.pointerId });
        surface.pointer = surface.viewport.place(event);
        if (doing === 'move') surface.viewport.grip([event]);
        if (doing === 'slide') surface.views.slide(surface.pointer.x);
        if (doing === 'paint') surface.brush.begin(surface.pointer, event);
        surface.drawMark();
    }

    pinch() {
        if (this.doing === 'paint') this.surface.brush.cancelTouch();
        Object.assign(this, { doing: 'move', id: null });
        this.surface.pointer = null;
        this.surface.viewport.grip(this.two());
        this.surface.drawMark();
    }

    move(event) {
        const { surface, doing, fingers } = this;
        if (fingers.has(event.pointerId)) fingers.set(event.pointerId, event);
        if (doing === 'move' && fingers.size > 1) return surface.viewport.drag(this.two());
        if (doing && event.pointerId !== this.id) return;
        if (doing === 'move') return surface.viewport.drag([event]);
        surface.pointer = surface.viewport.place(event);
        if (doing === 'slide') surface.views.slide(surface.pointer.x);
        else if (doing === 'paint') {
            const parts = event.getCoalescedEvents?.() ?? [];
            for (const part of parts.length ? parts : [event]) surface.brush.draw(surface.viewport.place(part), part);
        } else {
            this.pointAt(surface.pointer);
        }
        surface.drawMark();
    }

    up(event) {
        this.fingers.delete(event.pointerId);
        if (this.doing === 'move' && this.fingers.size > 1) this.surface.viewport.grip(this.two());
        // After two fingers moved the picture, painting starts only once both are up.
        if (this.id === null ? this.fingers.size > 0 : event.pointerId !== this.id) return;
        if (this.doing === 'paint') {
            this.surface.brush.end();
            this.pointAt(this.surface.viewport.place(event));
        }
        Object.assign(this, { doing: null, id: null });
    }

    // The features at the last place stay listed, so that the visitor can choose one.
    leave(event) {
        if (event.pointerType !== 'touch') clearTimeout(this.resting);
        this.surface.pointer = null;
        this.surface.drawMark();
    }

    wheel(event) {
        if (!event.ctrlKey) return;
        event.preventDefault();
        const { viewport } = this.surface;
        viewport.zoom(viewport.scale * Math.exp(-Math.min(25, Math.max(-25, event.deltaY)) / 100), event);
    }

    /** Lists the features at a place once the pointer or the cell cursor rests there. */
    pointAt({ x, y }) {
        clearTimeout(this.resting);
        this.resting = setTimeout(() => this.surface.page.invokeMethodAsync('PointAt', x, y), restDelay);
    }

    two() {
        return [...this.fingers.values()].slice(0, 2);
    }
}
