// Opens a saved picture. The browser reads its recipe; the picture itself is not sent.
import { recipeOf } from '../../../js/png-text.js';

export function create(root, page) {
    const input = root.querySelector('input'), off = new AbortController();
    input.addEventListener('change', async () => {
        const [file] = input.files;
        if (!file) return;
        await page.invokeMethodAsync('Opened', await recipeOf(file).catch(() => null));
        // Without this, choosing the same file again would raise no event.
        input.value = '';
    }, { signal: off.signal });
    return { close() { off.abort(); } };
}
