// biome-ignore-all lint: stands in for a builtin, in its own style
// What yargs asks of Node's `assert`, which is 8 ms of a start (it brings streams and colours for its messages).
'use strict';
var AssertionError = function (message) {
  return Object.assign(new Error(message), { name: 'AssertionError', code: 'ERR_ASSERTION' });
};
exports.strictEqual = function (actual, expected, message) {
  if (!Object.is(actual, expected))
    throw message instanceof Error ? message : AssertionError(message || 'not equal');
};
exports.notStrictEqual = function (actual, expected, message) {
  if (Object.is(actual, expected))
    throw message instanceof Error ? message : AssertionError(message || 'equal');
};
