#!/usr/bin/env bash
# npm @huggingface/transformers 4.3.2 (Transformers.js): a CLIP text of more than 75 tokens, with truncation on, loses its end token.
# One would expect an end token in the last place, as from OpenAI's CLIP (which writes it there after a cut) and from the Python library,
# which leaves room for start and end when it cuts; Transformers.js is described as functionally equivalent to that library. But it adds
# start and end first and cuts afterwards. CLIP's text embedding is the state at the end token, which models find as the largest id or as
# the first id equal to the end's. Without one both give place 0, the start token, which sees no word: all long texts get one embedding.
# The Rust tokenizers library, here through npm @anush008/tokenizers 0.6.0, reads the same tokenizer.json and keeps the end.
# Seen, for 75 words and for 100:
#   Rust 75: 77 ids, end at 76, largest at 76
#   Rust 100: 77 ids, end at 76, largest at 76
#   Transformers.js 75: 77 ids, end at 76, largest at 76
#   Transformers.js 100: 77 ids, end at -1, largest at 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact @huggingface/transformers@4.3.2 @anush008/tokenizers@0.6.0
cat >find.mjs <<'X'
import { CLIPTokenizer } from '@huggingface/transformers';
import rust from '@anush008/tokenizers';
// A tokenizer.json as CLIP's, with letters instead of the 49408 tokens; start and end have the two largest ids, as there.
const words = [...'abcdefghijklmnopqrstuvwxyz'].flatMap(letter => [letter, letter + '</w>']);
const vocab = Object.fromEntries([...words, '<|startoftext|>', '<|endoftext|>'].map((token, id) => [token, id]));
const [start, end] = ['<|startoftext|>', '<|endoftext|>'];
const added = content => ({
    id: vocab[content], content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false });
const file = {
    version: '1.0', truncation: null, padding: null, added_tokens: [added(start), added(end)],
    normalizer: {
        type: 'Sequence',
        normalizers: [{ type: 'NFC' }, { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' }, { type: 'Lowercase' }] },
    pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
            { type: 'Split', pattern: { Regex: '[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+' }, behavior: 'Removed', invert: true },
            { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }] },
    post_processor: {
        type: 'RobertaProcessing', sep: [end, vocab[end]], cls: [start, vocab[start]], trim_offsets: false, add_prefix_space: false },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
        type: 'BPE', dropout: null, unk_token: end, continuing_subword_prefix: '', end_of_word_suffix: '</w>', fuse_unk: false,
        vocab, merges: [] } };
const settings = { model_max_length: 77, bos_token: start, eos_token: end, unk_token: end, pad_token: end };
const text = count => Array(count).fill('a').join(' ');
const print = (name, count, ids) =>
    console.log(`${name} ${count}: ${ids.length} ids, end at ${ids.indexOf(vocab[end])}, largest at ${ids.indexOf(Math.max(...ids))}`);

const reference = rust.Tokenizer.fromString(JSON.stringify(file));
reference.setTruncation(77);
for (const count of [75, 100])
    print('Rust', count, (await reference.encode(text(count))).getIds());
const tokenizer = new CLIPTokenizer(file, settings);
for (const count of [75, 100])
    print('Transformers.js', count, Array.from(tokenizer(text(count), { padding: 'max_length', truncation: true }).input_ids.data, Number));
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
Rust 75: 77 ids, end at 76, largest at 76
Rust 100: 77 ids, end at 76, largest at 76
Transformers.js 75: 77 ids, end at 76, largest at 76
Transformers.js 100: 77 ids, end at -1, largest at 0
X
