// Checks that no container of ours in a compose file, as docker-compose prints it, may do more than it must: node check.mjs FILE
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const { services } = parse(readFileSync(process.argv[2], 'utf8'));
const ours = Object.entries(services).filter(([, service]) => service.image.startsWith('saeunbox'));
const loose = ours.filter(([, { read_only, user, cap_drop, security_opt, privileged }]) =>
    !(read_only && /^[1-9]\d*:/.test(user ?? '') && cap_drop?.includes('ALL') && security_opt?.includes('no-new-privileges:true') && !privileged));
for (const [name] of loose) console.error(`compose: ${name} runs as root, writes to its root file system, or keeps capabilities`);
process.exit(loose.length || !ours.length ? 1 : 0);
