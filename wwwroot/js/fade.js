const fades = new WeakMap();

/** Draws a bitmap on a canvas, resized to it, with a cross-fade of 90 ms or at once. */
export function fadeIn(canvas, bitmap, atOnce) {
    const { width, height } = bitmap;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d'), start = performance.now();
    cancelAnimationFrame(fades.get(canvas));
    if (atOnce) {
        context.drawImage(bitmap, 0, 0);
        return;
    }
    const step = now => {
        const isDone = now - start >= 90;
        context.globalAlpha = isDone ? 1 : .35;
        context.drawImage(bitmap, 0, 0);
        context.globalAlpha = 1;
        if (!isDone) fades.set(canvas, requestAnimationFrame(step));
    };
    fades.set(canvas, requestAnimationFrame(step));
}
