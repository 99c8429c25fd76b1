// biome-ignore-all lint: any Node, however old, has to understand this file
// The first thing that runs (scripts/build.ts puts it into dist/bk.cjs): looks at Node's version before anything is
// loaded (native modules crash an old Node), answers --version, and lets Node keep compiled code for the next time.
'use strict';
var found = process.versions.node.split('.');
if (+found[0] < 22 || (+found[0] === 22 && +found[1] < 22)) {
  var message = 'needs Node 22.22 or newer: this is ' + process.versions.node + ' (' + process.execPath + ')';
  var hint = 'run `npm install` in bk’s folder (it brings its own Node), or put a newer node first in PATH';
  process.stderr.write('bk: ' + message + '\nhint: ' + hint + '\n');
  if (process.argv.indexOf('--json') > 0) {
    process.stderr.write(
      JSON.stringify({ error: { code: 'unsupported-node', message: message, hint: hint } }) + '\n',
    );
  }
  process.exitCode = 4;
} else if (process.argv.length === 3 && process.argv[2] === '--version') {
  try {
    require('fs').writeSync(1, 'bk ' + '__BK_VERSION__' + '\n');
  } catch (error) {
    if (error.code !== 'EPIPE') throw error;
  }
} else {
  keepCompiledCode();
  require('./main.cjs');
}

// In dist/, else in the person's own cache folder; never in a folder that others can write to.
function keepCompiledCode() {
  var node = require('module');
  if (process.env.NODE_COMPILE_CACHE || process.env.NODE_DISABLE_COMPILE_CACHE) return;
  var failed = node.constants.compileCacheStatus.FAILED;
  if (node.enableCompileCache(__dirname + '/.cache').status !== failed) return;
  var home = process.env.XDG_CACHE_HOME || (process.env.HOME ? process.env.HOME + '/.cache' : '');
  if (home) node.enableCompileCache(home + '/bk');
}
