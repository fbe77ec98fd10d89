/** Fits a picture's frame into its parent, times a scale, and returns its size in pixels. */
export function fit(frame, picture, scale = 1) {
    const place = frame.parentElement, aspect = (picture.width || 1) / (picture.height || 1);
    const width = Math.max(120, Math.min(place.clientWidth, place.clientHeight * aspect)) * scale, height = width / aspect;
    Object.assign(frame.style, { width: `${width}px`, height: `${height}px` });
    return { width, height };
}
