// How fast pictures come: frames a second while painting, else what the last one took.
const recent = 1500, pause = 300; // milliseconds

export class Speed {
    constructor(label) {
        Object.assign(this, { label, times: [], told: 0 });
    }

    // A number that changes with every picture cannot be read, and costs a layout each time.
    tell(frame, drawing, now) {
        this.times = [...this.times.filter(time => now - time < recent), now];
        if (drawing && now - this.told < pause) return;
        this.told = now;
        this.label.textContent = drawing && this.times.length > 2
            ? `${((this.times.length - 1) * 1000 / (this.times.at(-1) - this.times[0])).toFixed(0)} fps`
            : `${frame.Milliseconds.reduce((sum, time) => sum + time, 0).toFixed(0)} ms`;
    }

    waiting({ State, Position }) {
        if (State === 'waiting' && Position > 0) this.label.textContent = `${Position} ahead`;
    }
}
