// Views that compare the picture with the one without its edits: while a key is held, across a divider, or as the difference.
import { Comparison } from './comparison.js';
import { drawDifference } from './brush-overlay.js';

const divider = {
    role: 'slider', ariaValueMin: '0', ariaValueMax: '100',
    ariaLabel: 'Divider: the picture without edits on its left, with edits on its right. Arrow keys move it.',
};

export class Views {
    constructor(surface) {
        const { role, ariaLabel } = surface.overlay;
        Object.assign(this, { surface, view: 'picture', split: .5, isHeld: false });
        this.comparison = new Comparison(surface.picture, surface.before);
        this.painting = { role, ariaLabel, ariaValueMin: null, ariaValueMax: null, ariaValueNow: null };
    }

    /** Shows the view "picture", "slider" or "difference". Returns the share of the change that lies outside the masks; null if unknown. */
    async show(view) {
        const { root, overlay } = this.surface;
        this.view = root.dataset.view = view;
        Object.assign(overlay, view === 'slider' ? divider : this.painting);
        if (view === 'slider') this.slide(this.split);
        this.surface.drawMark();
        return this.refresh();
    }

    /** Updates the view after the picture or its recipe changed. Returns the same share as show. */
    async refresh() {
        if (this.view === 'picture') return null;
        await this.load();
        if (this.view === 'picture') return null;
        if (this.view === 'difference') drawDifference(this.surface, this.comparison);
        return this.comparison.outside(this.surface.brush.layer.masks);
    }

    /** Shows or hides the picture without edits. */
    async hold(isHeld) {
        this.isHeld = isHeld;
        if (isHeld) await this.load();
        // The key may have been released in the meantime.
        if (this.isHeld) this.surface.root.dataset.held = 'true';
        else delete this.surface.root.dataset.held;
    }

    /** Moves the divider, 0 to 1 from the left. */
    slide(split) {
        this.split = Math.min(1, Math.max(0, split));
        this.surface.overlay.ariaValueNow = Math.round(100 * this.split);
        this.surface.drawMark();
    }

    async load() {
        try {
            await this.comparison.load(this.surface.recipe);
        } catch (error) {
            this.surface.showError(error.message);
        }
    }
}
