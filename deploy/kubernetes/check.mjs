// Checks every manifest against the schema of its kind, and that it has no field the schema does not know:
// node check.mjs FILE...   (deploy/check.sh installs what it needs)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseAllDocuments } from 'yaml';

const require = createRequire(import.meta.url);
const packages = { 'keda.sh': '@kubernetes-models/keda' };
let [checked, wrong] = [0, 0];

/** The value, and a list that its fields leave one by one when they are read: the validators read every field they know. */
function watched(value, path, unread) {
    if (value === null || typeof value !== 'object') return value;
    const fields = Array.isArray(value) ? [] : {};
    for (const [key, field] of Object.entries(value)) {
        const at = `${path}/${key}`;
        const inner = watched(field, at, unread);
        if (!Array.isArray(value)) unread.add(at);
        Object.defineProperty(fields, key, { enumerable: true, get() { unread.delete(at); return inner; } });
    }
    return fields;
}

for (const file of process.argv.slice(2))
    for (const document of parseAllDocuments(readFileSync(file, 'utf8'), { uniqueKeys: true })) {
        const complain = message => { wrong++; console.error(`${file}: ${message}`); };
        if (document.errors.length) { complain(document.errors[0].message); continue; }
        const manifest = document.toJS(), { apiVersion, kind, metadata } = manifest, what = `${kind} ${metadata?.name}`;
        checked++;
        try {
            const Model = require(`${packages[apiVersion.split('/')[0]] ?? 'kubernetes-models'}/${apiVersion}`)[kind];
            if (!Model) { complain(`${what}: ${apiVersion} has no ${kind}`); continue; }
            const model = new Model(manifest), unread = new Set();
            for (const part of Object.keys(manifest)) model[part] = watched(manifest[part], part, unread);
            model.validate();
            for (const field of unread) complain(`${what}: ${field} is no field of it`);
        } catch (error) {
            complain(`${what}: ${error.message}`);
        }
    }

console.log(`${checked} manifests, ${wrong} mistakes`);
process.exit(wrong || !checked ? 1 : 0);
