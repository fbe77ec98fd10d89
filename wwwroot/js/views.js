// Ways to look at the picture beside the one without its edits: held for a moment, across a divider, or as the difference.
import { Comparison } from '/js/comparison.js';
import { drawDifference } from '/js/brush-overlay.js';

const divider = { role: 'slider', ariaLabel: 'Divider: before at its left, after at its right. Arrow keys move it.', ariaValueMin: '0', ariaValueMax: '100' };

export class Views {
    constructor(surface) {
        const { role, ariaLabel } = surface.overlay;
        Object.assign(this, { surface, view: 'picture', split: .5, isHeld: false, comparison: new Comparison(surface.picture, surface.before) });
        this.painting = { role, ariaLabel, ariaValueMin: null, ariaValueMax: null, ariaValueNow: null };
    }

    /** Chooses the view, "picture", "slider" or "difference"; returns the share of the change that lies outside the masks, where it can be told. */
    async show(view) {
        const { root, overlay } = this.surface;
        this.view = root.dataset.view = view;
        Object.assign(overlay, view === 'slider' ? divider : this.painting);
        if (view === 'slider') this.slide(this.split);
        this.surface.drawMark();
        return this.refresh();
    }

    /** The picture, or what it is compared with, is another one now; returns the same share. */
    async refresh() {
        if (this.view === 'picture') return null;
        await this.load();
        if (this.view === 'picture') return null;
        if (this.view === 'difference') drawDifference(this.surface, this.comparison);
        return this.comparison.outside(this.surface.brush.layer.masks);
    }

    /** Shows the picture without edits while it is held. */
    async hold(isHeld) {
        this.isHeld = isHeld;
        if (isHeld) await this.load();
        // It may have been let go meanwhile.
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
            this.surface.tell(error.message);
        }
    }
}
