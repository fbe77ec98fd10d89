// Pictures as they come: each is decoded and shown unless a newer one is there already; one that stays is told to the page, with a thumbnail.
import { fadeIn } from '/js/fade.js';
import { Speed } from '/js/speed.js';

const calm = matchMedia('(prefers-reduced-motion: reduce)');
const settled = 160, thumbSide = 96; // milliseconds, pixels

export class Pictures {
    constructor(surface, label) {
        Object.assign(this, { surface, speed: new Speed(label), came: 0, shown: 0 });
    }

    async show(frame) {
        const { surface } = this, { picture, brush } = surface, started = performance.now(), turn = ++this.came;
        const bitmap = await createImageBitmap(new Blob([frame.Picture], { type: frame.MediaType }));
        // Decoding takes its time: a later one may be done first.
        if (turn < this.shown) return;
        this.shown = turn;
        const isEmpty = surface.frame.hasAttribute('data-empty'), { width, height } = surface.viewport.side;
        fadeIn(picture, bitmap, calm.matches || brush.isDown || isEmpty);
        if (Math.abs(width / height - bitmap.width / bitmap.height) > .001) surface.viewport.fit();
        this.speed.tell(frame, brush.isDown, started);
        surface.frame.removeAttribute('data-empty');
        surface.root.dispatchEvent(new CustomEvent('saeunbox:frame', { detail: { version: frame.Version, stages: frame.Stages, milliseconds: frame.Milliseconds } }));
        clearTimeout(this.settling);
        if (!brush.isDown) this.settling = setTimeout(() => this.settle(frame.Version), settled);
    }

    async settle(version) {
        const { page, views } = this.surface;
        const thumbnail = this.thumbnail(), outside = await views.refresh();
        await page.invokeMethodAsync('Settled', version, thumbnail, outside);
    }

    thumbnail() {
        const thumb = Object.assign(document.createElement('canvas'), { width: thumbSide, height: thumbSide });
        const { picture } = this.surface, side = Math.min(picture.width, picture.height);
        thumb.getContext('2d').drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, thumbSide, thumbSide);
        return thumb.toDataURL('image/jpeg', .8);
    }
}
