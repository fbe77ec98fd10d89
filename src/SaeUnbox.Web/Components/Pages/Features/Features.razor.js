// The gallery's measure: how many tiles stand side by side, and how high a row is.
export function measure(gallery, page) {
    let told = '';
    const tell = () => {
        const style = getComputedStyle(gallery);
        const [least, gap, text] = ['--least', '--gap', '--text-height'].map(name => parseFloat(style.getPropertyValue(name)));
        const columns = Math.max(1, Math.floor((gallery.clientWidth + gap) / (least + gap)));
        const row = Math.round((gallery.clientWidth - (columns - 1) * gap) / columns + text);
        if (told === (told = `${columns} ${row + gap}`)) return;
        page.invokeMethodAsync('Measured', columns, row + gap);
    };
    const size = new ResizeObserver(tell), match = new MutationObserver(tell);
    size.observe(gallery);
    match.observe(gallery, { attributes: true, attributeFilter: ['data-match'] });
    return { close() { size.disconnect(); match.disconnect(); } };
}

// The dictionary as a plane: wheel and drag to look closer, point to see, click to open.

export function create(root, site, places) {
    const canvas = root.querySelector('canvas'), tip = root.querySelector('.tip'), off = new AbortController();
    const view = { x: 0, y: 0, scale: 1 };
    let near = null, drag = null;
    root.dataset.site = site;
    const on = (type, handle, options) => canvas.addEventListener(type, handle, { signal: off.signal, ...options });
    const at = place => ({ x: (20 + place.x * (canvas.width - 40) - view.x) * view.scale, y: (20 + place.y * (canvas.height - 40) - view.y) * view.scale });
    const size = new ResizeObserver(() => {
        Object.assign(canvas, { width: root.clientWidth, height: root.clientHeight });
        draw();
    });
    size.observe(root);

    function draw() {
        const context = canvas.getContext('2d'), hue = getComputedStyle(root).getPropertyValue('--hue');
        context.clearRect(0, 0, canvas.width, canvas.height);
        for (const place of places) {
            const { x, y } = at(place);
            context.beginPath();
            context.arc(x, y, place === near ? 8 : 3 + 3 * Math.min(1, Math.sqrt(place.frequency ?? 0) * 3), 0, 7);
            context.globalAlpha = place === near ? 1 : .7;
            context.fillStyle = hue;
            context.fill();
        }
        context.globalAlpha = 1;
        if (view.scale < 1.8) return;
        context.fillStyle = getComputedStyle(root).color;
        context.font = '12px system-ui, sans-serif';
        for (const place of places) if (place.name) context.fillText(place.name, at(place).x + 8, at(place).y + 4);
    }

    on('pointerdown', event => { drag = { x: event.clientX, y: event.clientY, moved: false }; });
    on('pointermove', event => {
        if (drag && event.buttons) {
            const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
            drag.moved ||= Math.hypot(dx, dy) > 4;
            view.x -= dx / view.scale;
            view.y -= dy / view.scale;
            Object.assign(drag, { x: event.clientX, y: event.clientY });
        } else {
            const box = canvas.getBoundingClientRect(), [x, y] = [event.clientX - box.left, event.clientY - box.top];
            const distance = place => Math.hypot(at(place).x - x, at(place).y - y);
            near = places.reduce((best, place) => distance(place) < (best ? distance(best) : 24) ? place : best, null);
            tip.hidden = !near;
            if (near) {
                tip.textContent = `#${near.feature} ${near.name ?? ''}`;
                tip.style.left = `${Math.min(x + 14, canvas.width - 160)}px`;
                tip.style.top = `${y + 14}px`;
            }
        }
        draw();
    });
    on('click', () => { if (near && !drag?.moved) location.href = `/features/${site}/${near.feature}`; });
    on('pointerleave', () => { near = null; tip.hidden = true; draw(); });
    on('wheel', event => {
        event.preventDefault();
        const box = canvas.getBoundingClientRect(), [x, y] = [event.clientX - box.left, event.clientY - box.top];
        const next = Math.min(12, Math.max(1, view.scale * (event.deltaY < 0 ? 1.2 : 1 / 1.2)));
        view.x += x / view.scale - x / next;
        view.y += y / view.scale - y / next;
        view.scale = next;
        if (next === 1) Object.assign(view, { x: 0, y: 0 });
        draw();
    }, { passive: false });
    return { close() { off.abort(); size.disconnect(); } };
}
