// Checks every manifest against the schema of its kind, that it has no field the schema does not know, that what pods find on volumes is put there,
// and that no container may do more than it must:
// node check.mjs FILE...   (deploy/check.sh installs what it needs)
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseAllDocuments } from 'yaml';

const require = createRequire(import.meta.url);
const packages = { 'keda.sh': '@kubernetes-models/keda' };
const manifests = [];
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
        manifests.push(manifest);
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

const complain = message => { wrong++; console.error(message); };
const pods = manifests.map(manifest => manifest.spec?.template?.spec).filter(pod => pod);
const claimsOf = pod => (pod.volumes ?? []).filter(volume => volume.persistentVolumeClaim)
    .map(({ name, persistentVolumeClaim: { claimName, readOnly } }) => ({ claimName,
        writes: !readOnly && pod.containers.some(container => container.volumeMounts?.some(mount => mount.name === name && !mount.readOnly)) }));
const used = pods.flatMap(claimsOf);
for (const claim of new Set(used.map(one => one.claimName))) {
    const modes = manifests.find(one => one.kind === 'PersistentVolumeClaim' && one.metadata.name === claim)?.spec.accessModes ?? [];
    if (!modes.some(mode => mode.startsWith('ReadWrite')) || !used.some(one => one.claimName === claim && one.writes))
        complain(`PersistentVolumeClaim ${claim}: nobody can write to it, so it stays empty`);
}

// `saeunbox download` makes a folder of each repository's name.
const words = pods.flatMap(pod => pod.containers.flatMap(container => container.command ?? []));
const folders = words.filter((_, i) => words[i - 1] === '--repo').map(repository => `/models/${repository.split('/')[1]}`);
for (const { kind, metadata, data } of manifests.filter(one => one.kind === 'ConfigMap'))
    for (const [key, value] of Object.entries(data))
        if (/__Models__\d+__\w*Folder$/.test(key) && !folders.includes(value))
            complain(`${kind} ${metadata.name}: ${key} is ${value}, which nothing makes`);

for (const pod of pods)
    for (const { name, securityContext: its = {} } of pod.containers) {
        const theirs = pod.securityContext ?? {};
        if (!theirs.runAsNonRoot || !theirs.runAsUser || (its.runAsUser ?? 1) === 0 || its.privileged || its.allowPrivilegeEscalation !== false || !its.readOnlyRootFilesystem
            || !its.capabilities?.drop?.includes('ALL') || theirs.seccompProfile?.type !== 'RuntimeDefault' || pod.automountServiceAccountToken !== false)
            complain(`container ${name}: it runs as root, writes to its root file system, keeps capabilities, or holds the cluster's token`);
    }

console.log(`${checked} manifests, ${wrong} mistakes`);
process.exit(wrong || !checked ? 1 : 0);
