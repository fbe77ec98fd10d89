// A picture that was saved here, chosen as a file: its recipe is read in the browser, the picture itself is sent nowhere.
import { recipeOf } from '/js/png-text.js';

export function create(root, page) {
    const input = root.querySelector('input'), off = new AbortController();
    input.addEventListener('change', async () => {
        const [file] = input.files;
        if (!file) return;
        await page.invokeMethodAsync('Opened', await recipeOf(file).catch(() => null));
        // The same file may be chosen again.
        input.value = '';
    }, { signal: off.signal });
    return { close() { off.abort(); } };
}
