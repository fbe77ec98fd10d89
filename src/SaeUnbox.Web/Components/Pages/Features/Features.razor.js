import { download } from '../../../js/download.js';

/** Offers a text to the visitor as a file. */
export function save(text, name, type) {
    download(new Blob([text], { type }), name);
}

// Measures how many tiles fit into a row of the gallery, and the height of a row.
export function measure(gallery, page) {
    let reported = '';
    const report = () => {
        const style = getComputedStyle(gallery);
        const [least, gap, text] = ['--least', '--gap', '--text-height'].map(name => parseFloat(style.getPropertyValue(name)));
        const columns = Math.max(1, Math.floor((gallery.clientWidth + gap) / (least + gap)));
        const row = Math.round((gallery.clientWidth - (columns - 1) * gap) / columns + text);
        if (reported === (reported = `${columns} ${row + gap}`)) return;
        // The visitor may have left the page.
        page.invokeMethodAsync('Measured', columns, row + gap).catch(() => { });
    };
    const size = new ResizeObserver(report), match = new MutationObserver(report);
    size.observe(gallery);
    match.observe(gallery, { attributes: true, attributeFilter: ['data-match'] });
    return { close() { size.disconnect(); match.disconnect(); } };
}
