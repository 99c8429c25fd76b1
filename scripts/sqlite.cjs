// biome-ignore-all lint: stands in for a package, in its own style
/**
 * Stands in for `better-sqlite3` in the bundle (see build.ts): its code goes into the bundle, and where its addon lies
 * beside bk it is loaded from there. Looking for its files one by one takes 10 ms of every start.
 */
'use strict';
const fs = require('node:fs');
const path = require('node:path');

let addon;
function getAddon() {
  addon ??= beside() ?? elsewhere();
  return addon;
}

/** As npm unpacks it; one that was compiled on purpose goes first, as it does for the package. */
function beside() {
  const home = path.join(__dirname, '../node_modules/better-sqlite3');
  const prebuilt = path.join(home, 'prebuilds', `${process.platform}-${process.arch}.node`);
  if (fs.existsSync(path.join(home, 'build/Release/better_sqlite3.node')) || !fs.existsSync(prebuilt))
    return undefined;
  try {
    return require(prebuilt);
  } catch {
    return undefined; // For another C library.
  }
}

/** Wherever the package is, it knows which addon is the right one. */
function elsewhere() {
  const nearby = require('node:module').createRequire(__filename);
  const home = path.dirname(nearby.resolve('better-sqlite3/package.json'));
  return nearby(path.join(home, 'lib/binding.js')).getBinding();
}

module.exports = require('../node_modules/better-sqlite3/lib/database.js')(getAddon, false);
module.exports.SqliteError = require('../node_modules/better-sqlite3/lib/sqlite-error.js');
