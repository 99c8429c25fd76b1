// Stands between bk and ssh: node ssh-relay.cjs LOG CUT WORD…, where the words start ssh. Appends to LOG what went to the
// other side and what came from there, in bytes; ends ssh at once when CUT bytes have gone either way (0: never).
'use strict';
const { spawn } = require('node:child_process');
const { appendFileSync } = require('node:fs');
const [log, cut, program, ...words] = process.argv.slice(2);
const most = Number(cut) || Number.POSITIVE_INFINITY;
const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
const moved = { sent: 0, received: 0 };

function pipe(from, to, way) {
  from.on('data', (bytes) => {
    moved[way] += bytes.length;
    if (moved.sent + moved.received > most) {
      child.kill('SIGKILL');
      end(255);
    } else if (!to.write(bytes)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  });
  from.on('end', () => to.end());
  from.on('error', () => {});
  to.on('error', () => {});
}

function end(code) {
  appendFileSync(log, `${moved.sent} ${moved.received}\n`);
  process.exit(code);
}

pipe(process.stdin, child.stdin, 'sent');
pipe(child.stdout, process.stdout, 'received');
child.on('exit', (code) => setImmediate(() => end(code ?? 255)));
