#!/usr/bin/env bash
# npm hyllama 0.2.2, a reader of GGUF files: every character outside ASCII comes back as two or more others. One would expect the text as it
# was written, since the GGUF specification has all strings in UTF-8, and npm @huggingface/gguf 0.4.6 reads it so. But hyllama makes a
# character of each byte. Names of models suffer, and more so a vocabulary: byte-level tokenizers write a space as one character outside
# ASCII, SentencePiece as another, so nearly every token that starts a word is a different string and is not found.
# Seen, for the same file, with the two marks of a space before "cat":
#   hyllama: name M\u00c3\u00b6bius, tokens \u00c4\u00a0cat \u00e2\u0096\u0081cat
#   @huggingface/gguf: name M\u00f6bius, tokens \u0120cat \u2581cat
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact hyllama@0.2.2 @huggingface/gguf@0.4.6
cat >find.mjs <<'X'
import { readFileSync, writeFileSync } from 'node:fs';
import { ggufMetadata } from 'hyllama';
import { gguf } from '@huggingface/gguf';
const [uint32Type, stringType, arrayType] = [4, 8, 9];
const uint32 = value => Buffer.from(Uint32Array.of(value).buffer);
const uint64 = value => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const string = text => Buffer.concat([uint64(Buffer.byteLength(text)), Buffer.from(text)]);
const entries = [
    [string('general.architecture'), uint32(stringType), string('llama')],
    [string('general.name'), uint32(stringType), string('M\u00f6bius')],
    [string('general.alignment'), uint32(uint32Type), uint32(32)],
    [string('tokenizer.ggml.tokens'), uint32(arrayType), uint32(stringType), uint64(2), string('\u0120cat'), string('\u2581cat')]];
writeFileSync('find.gguf', Buffer.concat([Buffer.from('GGUF'), uint32(3), uint64(0), uint64(entries.length), ...entries.flat()]));
const escape = text => text.replace(/[^ -~]/g, letter => '\\u' + letter.charCodeAt().toString(16).padStart(4, '0'));
const show = (reader, data) =>
    console.log(`${reader}: name ${escape(data['general.name'])}, tokens ${data['tokenizer.ggml.tokens'].map(escape).join(' ')}`);
show('hyllama', ggufMetadata(new Uint8Array(readFileSync('find.gguf')).buffer).metadata);
show('@huggingface/gguf', (await gguf('find.gguf', { allowLocalFile: true })).metadata);
X
node find.mjs | tee out.txt
diff out.txt - <<'X'
hyllama: name M\u00c3\u00b6bius, tokens \u00c4\u00a0cat \u00e2\u0096\u0081cat
@huggingface/gguf: name M\u00f6bius, tokens \u0120cat \u2581cat
X
