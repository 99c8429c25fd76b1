/**
 * Stands in for `string-width` in the bundle (see build.ts): yargs measures only our own help, which has no wide
 * characters, and the real one spends 15 ms on tables of emoji at every start.
 */
module.exports = (text) => [...text].length;
