// Decodes pictures and shows each unless a newer one is shown already. Reports a picture that stays to the page, and keeps its thumbnail.
import { fadeIn } from './fade.js';
import { Speed } from './speed.js';

const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
const settleDelay = 160, thumbSide = 96, hardlySeen = 16; // milliseconds, pixels, levels of 255

export class Pictures {
    constructor(surface, label) {
        Object.assign(this, { surface, speed: new Speed(label), received: 0, shown: 0 });
    }

    async show(frame) {
        const { surface } = this, { picture, brush } = surface, started = performance.now(), turn = ++this.received;
        const bitmap = await createImageBitmap(new Blob([frame.Picture], { type: frame.MediaType }));
        // A later picture may have been decoded sooner.
        if (turn < this.shown) return;
        this.shown = turn;
        const isEmpty = surface.frame.hasAttribute('data-empty'), { width, height } = surface.viewport.side;
        fadeIn(picture, bitmap, reducedMotion.matches || brush.isDown || isEmpty || document.hidden);
        if (Math.abs(width / height - bitmap.width / bitmap.height) > .001) surface.viewport.fit();
        this.speed.show(frame, brush.isDown, started);
        surface.frame.removeAttribute('data-empty');
        surface.raise('frame', { version: frame.Version, stages: frame.Stages, milliseconds: frame.Milliseconds });
        surface.tryDemonstration();
        clearTimeout(this.settling);
        if (!brush.isDown) this.settling = setTimeout(() => this.settle(frame.Version), settleDelay);
    }

    async settle(version) {
        const { page, views } = this.surface;
        const thumbnail = this.thumbnail(), isLikeLast = this.isLikeLast(thumbnail);
        this.surface.thumbnails.add(version, thumbnail.toDataURL('image/jpeg', .8));
        const isKept = await page.invokeMethodAsync('PictureSettled', version, await views.refresh(), isLikeLast);
        if (isKept) this.last = dataOf(thumbnail);
    }

    thumbnail() {
        const thumb = Object.assign(document.createElement('canvas'), { width: thumbSide, height: thumbSide });
        const { picture } = this.surface, side = Math.min(picture.width, picture.height);
        const [left, top] = [(picture.width - side) / 2, (picture.height - side) / 2];
        thumb.getContext('2d').drawImage(picture, left, top, side, side, 0, 0, thumbSide, thumbSide);
        return thumb;
    }

    /** Whether no pixel of the thumbnail differs visibly from the history's last one. */
    isLikeLast(thumbnail) {
        const { last } = this;
        return last !== undefined && dataOf(thumbnail).every((value, i) => Math.abs(value - last[i]) <= hardlySeen);
    }
}

const dataOf = thumbnail => thumbnail.getContext('2d').getImageData(0, 0, thumbSide, thumbSide).data;
