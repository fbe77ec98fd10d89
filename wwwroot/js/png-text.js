// Finds the recipe in a PNG that was saved here: the text chunk saeunbox.recipe (iTXt, tEXt or zTXt).

const keyword = 'saeunbox.recipe';
const largest = 32 << 20;
// What the page's own connection takes in one message, with room to spare.
const longest = 192 << 10;
const longestKeyword = 79;

/** The recipe's JSON; null where the file has none, or one that is longer than the page can take. */
export async function recipeOf(file) {
    if (file.size > largest) return null;
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (![0x89, 0x50, 0x4e, 0x47].every((byte, i) => bytes[i] === byte)) return null;
    const view = new DataView(bytes.buffer);
    for (let at = 8; at + 12 <= bytes.length;) {
        const length = view.getUint32(at), kind = latin(bytes.subarray(at + 4, at + 8));
        if (at + 12 + length > bytes.length) return null;
        const text = ['iTXt', 'tEXt', 'zTXt'].includes(kind) ? await textOf(kind, bytes.subarray(at + 8, at + 8 + length)).catch(() => null) : null;
        if (text !== null) return text;
        at += 12 + length;
    }
    return null;
}

async function textOf(kind, chunk) {
    const end = chunk.subarray(0, longestKeyword + 1).indexOf(0);
    if (end < 0 || latin(chunk.subarray(0, end)) !== keyword) return null;
    if (kind === 'tEXt') return latin(within(chunk.subarray(end + 1)));
    if (kind === 'zTXt') return utf8(await inflated(chunk.subarray(end + 2)));
    // iTXt: a flag and a method of compression, a language and a translated keyword, each ended by a zero.
    const packed = chunk[end + 1] === 1;
    const language = chunk.indexOf(0, end + 3), translated = chunk.indexOf(0, language + 1);
    const text = chunk.subarray(translated + 1);
    return utf8(packed ? await inflated(text) : within(text));
}

// Unpacked piece by piece: a few kilobytes may stand for gigabytes.
async function inflated(bytes) {
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
    const parts = [];
    for (let total = 0; ;) {
        const { done, value } = await reader.read();
        if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
        total += value.length;
        if (total > longest) {
            await reader.cancel();
            throw new RangeError('too long');
        }
        parts.push(value);
    }
}

function within(bytes) {
    if (bytes.length > longest) throw new RangeError('too long');
    return bytes;
}

const latin = bytes => Array.from(bytes, byte => String.fromCharCode(byte)).join('');
const utf8 = bytes => new TextDecoder().decode(bytes);
