#!/usr/bin/env bash
# npm jpickle 0.4.1 and pickleparser 0.2.1, readers of Python's pickle (the inside of a PyTorch file): integers of more than 32 bits come
# back as other numbers, without an error. One would expect Python's own values. From protocol 2 on Python writes such an integer as LONG1:
# a length and that many bytes, in two's complement. jpickle skips the bytes and pushes 0, and its README names that protocol as supported.
# pickleparser takes the bytes as a number without a sign, though its table of opcodes has LONG1 as done, so negative ones become positive.
# Sizes, seeds and times in nanoseconds are often that large. Protocol 0 writes digits, which both read well.
# Seen, for the integers -1, 2147483647, 2147483648, 5000000000, -2147483649 and -5000000000:
#   jpickle, protocol 0: -1 2147483647 2147483648 5000000000 -2147483649 -5000000000
#   pickleparser, protocol 0: -1 2147483647 2147483648 5000000000 -2147483649 -5000000000
#   jpickle, protocol 2: -1 2147483647 0 0 0 0
#   pickleparser, protocol 2: -1 2147483647 2147483648 5000000000 1097364144127 1094511627776
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init --yes >init.txt
npm install --ignore-scripts --no-audit --no-fund --silent --save-exact jpickle@0.4.1 pickleparser@0.2.1
cat >find.mjs <<'X'
import { execFileSync } from 'node:child_process';
import jpickle from 'jpickle';
import { Parser } from 'pickleparser';
const python = 'import pickle, sys\n'
    + 'values = [-1, 2147483647, 2147483648, 5000000000, -2147483649, -5000000000]\n'
    + 'sys.stdout.buffer.write(pickle.dumps(values, int(sys.argv[1])))';
for (const protocol of [0, 2]) {
    const bytes = execFileSync('python3', ['-c', python, `${protocol}`]);
    console.log(`jpickle, protocol ${protocol}: ${jpickle.loads(bytes.toString('latin1')).join(' ')}`);
    console.log(`pickleparser, protocol ${protocol}: ${new Parser().parse(bytes).join(' ')}`);
}
X
node --no-deprecation find.mjs | tee out.txt
diff out.txt - <<'X'
jpickle, protocol 0: -1 2147483647 2147483648 5000000000 -2147483649 -5000000000
pickleparser, protocol 0: -1 2147483647 2147483648 5000000000 -2147483649 -5000000000
jpickle, protocol 2: -1 2147483647 0 0 0 0
pickleparser, protocol 2: -1 2147483647 2147483648 5000000000 1097364144127 1094511627776
X
