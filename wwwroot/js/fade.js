const underway = new WeakMap();

/** Shows a bitmap on a canvas, which takes its size: by a cross-fade of under 100 ms, or at once. */
export function fadeIn(canvas, bitmap, atOnce) {
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    const context = canvas.getContext('2d'), start = performance.now();
    cancelAnimationFrame(underway.get(canvas));
    if (atOnce) {
        context.drawImage(bitmap, 0, 0);
        return;
    }
    const step = now => {
        const isDone = now - start >= 90;
        context.globalAlpha = isDone ? 1 : .35;
        context.drawImage(bitmap, 0, 0);
        context.globalAlpha = 1;
        if (!isDone) underway.set(canvas, requestAnimationFrame(step));
    };
    underway.set(canvas, requestAnimationFrame(step));
}
