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
