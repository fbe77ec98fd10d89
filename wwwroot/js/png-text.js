// Reads the recipe of a saved PNG from its text chunk saeunbox.recipe (iTXt, tEXt or zTXt).

const keyword = 'saeunbox.recipe';
const maxFileBytes = 32 << 20;
// As RecipeLimits.MaxJsonLength.
const maxRecipeBytes = 1 << 21;
const maxKeywordLength = 79;

/** Returns the recipe's JSON; an empty text if it is too long, null if the file has none. */
export async function recipeOf(file) {
    if (file.size > maxFileBytes) return null;
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (![0x89, 0x50, 0x4e, 0x47].every((byte, i) => bytes[i] === byte)) return null;
    const view = new DataView(bytes.buffer);
    for (let at = 8; at + 12 <= bytes.length;) {
        const length = view.getUint32(at), kind = latin(bytes.subarray(at + 4, at + 8));
        if (at + 12 + length > bytes.length) return null;
        if (['iTXt', 'tEXt', 'zTXt'].includes(kind)) {
            const text = await textOf(kind, bytes.subarray(at + 8, at + 8 + length)).catch(error => error instanceof RangeError ? '' : null);
            if (text !== null) return text;
        }
        at += 12 + length;
    }
    return null;
}

async function textOf(kind, chunk) {
    const end = chunk.subarray(0, maxKeywordLength + 1).indexOf(0);
    if (end < 0 || latin(chunk.subarray(0, end)) !== keyword) return null;
    if (kind === 'tEXt') return latin(checked(chunk.subarray(end + 1)));
    if (kind === 'zTXt') return utf8(await inflate(chunk.subarray(end + 2)));
    // iTXt has a compression flag and method, then a language and a translated keyword, each ended by a zero byte.
    const isCompressed = chunk[end + 1] === 1;
    const language = chunk.indexOf(0, end + 3), translated = chunk.indexOf(0, language + 1);
    const text = chunk.subarray(translated + 1);
    return utf8(isCompressed ? await inflate(text) : checked(text));
}

// Stops at the limit, because a few kilobytes can expand to gigabytes.
async function inflate(bytes) {
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
    const parts = [];
    for (let total = 0; ;) {
        const { done, value } = await reader.read();
        if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
        total += value.length;
        if (total > maxRecipeBytes) {
            await reader.cancel();
            throw new RangeError('too long');
        }
        parts.push(value);
    }
}

function checked(bytes) {
    if (bytes.length > maxRecipeBytes) throw new RangeError('too long');
    return bytes;
}

const latin = bytes => Array.from(bytes, byte => String.fromCharCode(byte)).join('');
const utf8 = bytes => new TextDecoder().decode(bytes);
