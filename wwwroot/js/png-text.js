// Finds the recipe in a PNG that was saved here: the text chunk saeunbox.recipe (iTXt, tEXt or zTXt).

const keyword = 'saeunbox.recipe';
const largest = 32 << 20;

/** The recipe's JSON; null where the file has none. */
export async function recipeOf(file) {
    if (file.size > largest) return null;
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (![0x89, 0x50, 0x4e, 0x47].every((byte, i) => bytes[i] === byte)) return null;
    const view = new DataView(bytes.buffer);
    for (let at = 8; at + 12 <= bytes.length;) {
        const length = view.getUint32(at), kind = latin(bytes.subarray(at + 4, at + 8));
        if (at + 12 + length > bytes.length) return null;
        const text = ['iTXt', 'tEXt', 'zTXt'].includes(kind) ? await textOf(kind, bytes.subarray(at + 8, at + 8 + length)) : null;
        if (text !== null) return text;
        at += 12 + length;
    }
    return null;
}

async function textOf(kind, chunk) {
    const end = chunk.indexOf(0);
    if (end < 0 || latin(chunk.subarray(0, end)) !== keyword) return null;
    if (kind === 'tEXt') return latin(chunk.subarray(end + 1));
    if (kind === 'zTXt') return utf8(await inflated(chunk.subarray(end + 2)));
    // iTXt: a flag and a method of compression, a language and a translated keyword, each ended by a zero.
    const packed = chunk[end + 1] === 1;
    const language = chunk.indexOf(0, end + 3), translated = chunk.indexOf(0, language + 1);
    const text = chunk.subarray(translated + 1);
    return utf8(packed ? await inflated(text) : text);
}

async function inflated(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}

const latin = bytes => String.fromCharCode(...bytes);
const utf8 = bytes => new TextDecoder().decode(bytes);
