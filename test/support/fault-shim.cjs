// Loaded into bk with NODE_OPTIONS=--require: counts every mutating call of `fs` and can kill the process just before
// the n-th, or make it fail. Blind to native modules (better-sqlite3): the strace layer covers those. Loads nothing.
//
//   SHIM_LOG=FILE        one line for each counted call: number, name, path or descriptor
//   KILL_AT=n            SIGKILL just before call n
//   FAIL_AT=n:CODE[:persistent]   call n (persistent: and every later one) throws ENOSPC, EIO, EACCES, EMLINK, EXDEV,
//                        ESTALE …; CODE `short` makes a write write half. ENOSPC does not hit calls that free space.
//   FAIL_READ_AT=n:CODE  the same for readdir, opendir, lstat, stat, readlink, read and opening to read
//   EDIT_AT=n EDIT=JSON EDIT_DONE=FILE   just before call n a person does the first of these that can be done: lists of
//                        calls of fs, [[["renameSync", from, to], …], …]; then there is FILE, with what the first
//                        path held if it was a file
//   SHIM_BUG=NAME        behaves like a program with that bug (see BUGS), to prove that the tests would see it
'use strict';
const fs = require('node:fs');
const { isMainThread } = require('node:worker_threads');

const ERRNO = { ENOSPC: 28, EIO: 5, EACCES: 13, EMLINK: 31, EXDEV: 18, ESTALE: 116, EROFS: 30, EDQUOT: 122 };
const FREEING = new Set(['unlinkSync', 'rmSync', 'rmdirSync', 'ftruncateSync', 'truncateSync', 'renameSync']);
const WRITING = fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC;

const original = { ...fs };
const log = process.env.SHIM_LOG ? original.openSync(process.env.SHIM_LOG, 'a') : -1;
const killAt = Number(process.env.KILL_AT ?? 0);
const failAt = parseFault(process.env.FAIL_AT);
const failReadAt = parseFault(process.env.FAIL_READ_AT);
const editAt = Number(process.env.EDIT_AT ?? 0);
let mutations = 0;
let reads = 0;

function parseFault(text) {
  if (!text) return { at: 0, code: '', persistent: false };
  const [at, code, persistent] = text.split(':');
  return { at: Number(at), code, persistent: persistent === 'persistent' };
}

function hits(fault, count) {
  return fault.at > 0 && (fault.persistent ? count >= fault.at : count === fault.at);
}

function failure(code, syscall, subject) {
  const error = new Error(`${code}: injected, ${syscall} '${subject}'`);
  return Object.assign(error, {
    code,
    errno: -(ERRNO[code] ?? 5),
    syscall,
    path: typeof subject === 'string' ? subject : undefined,
  });
}

function shown(subject) {
  return Buffer.isBuffer(subject) ? subject.toString('latin1') : String(subject);
}

/** Before a mutating call: counts, logs, kills, fails. @returns true if a write shall be short */
function beforeMutation(name, args) {
  if (typeof args[0] === 'number' && args[0] <= 2) return false; // what bk says is no file operation
  mutations += 1;
  if (log >= 0) {
    const second = name === 'linkSync' || name === 'renameSync' ? ` -> ${shown(args[1])}` : '';
    original.writeSync(log, `${mutations} ${name} ${JSON.stringify(shown(args[0]) + second)}\n`);
  }
  if (mutations === killAt) {
    process.kill(process.pid, 'SIGKILL');
    for (;;); // the signal comes at once; nothing may run after it
  }
  if (mutations === editAt) edit(JSON.parse(process.env.EDIT));
  if (!hits(failAt, mutations)) return false;
  if (failAt.code === 'short') return true;
  if (['ENOSPC', 'EDQUOT'].includes(failAt.code) && FREEING.has(name)) return false;
  throw failure(failAt.code, name.replace(/Sync$/, ''), shown(args[0]));
}

/** Loading the program is not what the tests are about. */
const PROGRAM = require('node:path').resolve(process.argv[1] ?? '.', '../..');
function ofTheProgram(subject) {
  if (typeof subject !== 'string') return false;
  return (
    subject.startsWith(`${PROGRAM}/`) ||
    subject.includes('/node_modules/') ||
    subject.endsWith('/package.json')
  );
}

function beforeRead(name, args) {
  if (ofTheProgram(args[0])) return;
  reads += 1;
  if (log >= 0 && process.env.SHIM_LOG_READS)
    original.writeSync(log, `r${reads} ${name} ${JSON.stringify(shown(args[0]))}\n`);
  if (hits(failReadAt, reads)) throw failure(failReadAt.code, name.replace(/Sync$/, ''), shown(args[0]));
}

/** A list of which not even the first call can be done is passed over: the file has another name by then. */
function edit(lists) {
  for (const [[first, ...given], ...others] of lists) {
    let held = '';
    try {
      if (original.lstatSync(given[0], { throwIfNoEntry: false })?.isFile())
        held = original.readFileSync(given[0]);
      original[first](...given);
    } catch (error) {
      if (['ENOENT', 'EEXIST', 'ENOTDIR'].includes(error.code)) continue;
      throw error;
    }
    for (const [call, ...more] of others) original[call](...more);
    original.writeFileSync(process.env.EDIT_DONE, held);
    return;
  }
}

function opensToWrite(flags) {
  if (typeof flags === 'number') return (flags & WRITING) !== 0;
  return typeof flags === 'string' && flags !== 'r' && flags !== 'rs';
}

const SHORTEN = {
  writeSync: (args) => {
    const [fd, data, second, third, position] = args;
    if (typeof data === 'string') return [fd, data.slice(0, Math.ceil(data.length / 2)), second, third];
    const options =
      typeof second === 'object' && second !== null ? second : { offset: second, length: third, position };
    const offset = options.offset ?? 0;
    const length = options.length ?? data.byteLength - offset;
    return [fd, data, offset, Math.ceil(length / 2), options.position ?? null];
  },
  writevSync: ([fd, buffers, position]) => [fd, buffers.slice(0, Math.ceil(buffers.length / 2)), position],
};

const MUTATING = [
  'writeSync',
  'writevSync',
  'linkSync',
  'renameSync',
  'unlinkSync',
  'rmSync',
  'mkdirSync',
  'rmdirSync',
  'symlinkSync',
  'fsyncSync',
  'fdatasyncSync',
  'ftruncateSync',
  'truncateSync',
  'utimesSync',
  'futimesSync',
  'lutimesSync',
  'chmodSync',
  'fchmodSync',
  'lchmodSync',
  'chownSync',
  'fchownSync',
  'lchownSync',
  'copyFileSync',
  'cpSync',
  'writeFileSync',
  'appendFileSync',
  'mkdtempSync',
];
const READING = [
  'readdirSync',
  'opendirSync',
  'lstatSync',
  'statSync',
  'fstatSync',
  'readlinkSync',
  'readSync',
  'readFileSync',
];

// Behaviour of wrong programs. Each takes the arguments and gives the result, or undefined to go on as usual.
const BUGS = {
  'rename-for-link': { linkSync: ([from, to]) => original.renameSync(from, to) ?? true },
  'readdir-error-is-empty': { readdirSync: (args) => tolerant(() => original.readdirSync(...args)) },
};

function tolerant(call) {
  try {
    beforeRead('readdirSync', ['']);
    return call();
  } catch {
    return [];
  }
}

const bug = BUGS[process.env.SHIM_BUG ?? ''] ?? {};

function wrap(name, before) {
  const call = original[name];
  if (typeof call !== 'function') return;
  fs[name] = function wrapped(...args) {
    const other = bug[name]?.(args);
    if (other !== undefined) return other === true ? undefined : other;
    const shorten = before(name, args);
    return call.apply(fs, shorten && SHORTEN[name] ? SHORTEN[name](args) : args);
  };
}

// Worker threads have counters of their own, which would make `n` ambiguous: the sweeps use trees small enough that
// bk works inline, and the shim stays out of workers.
if (isMainThread) {
  for (const name of MUTATING) wrap(name, beforeMutation);
  for (const name of READING) wrap(name, beforeRead);
  wrap('openSync', (name, args) =>
    opensToWrite(args[1]) ? beforeMutation(name, args) : beforeRead(name, args),
  );
  // Not counted, so the log must not show any: a test holds that nothing mutates behind the shim's back.
  for (const name of ['writeFile', 'rename', 'link', 'unlink', 'rm', 'mkdir', 'open', 'createWriteStream']) {
    const call = original[name];
    fs[name] = (...args) => {
      if (log >= 0) original.writeSync(log, `0 ASYNC ${name} ${JSON.stringify(shown(args[0]))}\n`);
      return call.apply(fs, args);
    };
  }
  require('node:module').syncBuiltinESMExports();
}
