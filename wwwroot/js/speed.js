// Shows frames per second while painting, and otherwise the duration of the last picture.
const recent = 1500, updateInterval = 300; // milliseconds

export class Speed {
    constructor(label) {
        Object.assign(this, { label, times: [], shownAt: 0 });
    }

    show(frame, drawing, now) {
        this.times = [...this.times.filter(time => now - time < recent), now];
        // A number that changes with each picture is unreadable, and each change makes the browser lay out the page.
        if (drawing && now - this.shownAt < updateInterval) return;
        this.shownAt = now;
        this.label.textContent = drawing && this.times.length > 2
            ? `${((this.times.length - 1) * 1000 / (this.times.at(-1) - this.times[0])).toFixed(0)} fps`
            : `${frame.Milliseconds.reduce((sum, time) => sum + time, 0).toFixed(0)} ms`;
    }

    waiting({ State, Position }) {
        if (State === 'waiting' && Position > 0) this.label.textContent = `${Position} ahead`;
    }
}
