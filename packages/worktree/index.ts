/**
 * worktree: the user's files. It looks (scan: complete or failed per directory, stats in ns, names as bytes), reads
 * (contents hashed with BLAKE3, and only if the file is the one that was seen and did not change meanwhile), knows what
 * a file system keeps (volume, capabilities), and holds the one module that writes into the user's tree (treefs), which
 * carries out plans made elsewhere (apply). It decides nothing and knows nothing of the history.
 */

export * from './apply.ts';
export * from './capabilities.ts';
export * from './copy.ts';
export * from './copy-staging.ts';
export * from './hash.ts';
export * from './ignore.ts';
export * from './long-path.ts';
export * from './media/said.ts';
export * from './media/sidecar.ts';
export * from './mtimes.ts';
export { type Native, native } from './native.ts';
export * from './node-path.ts';
export * from './read.ts';
export * from './scan.ts';
export * from './stage.ts';
export * from './treefs.ts';
export * from './volume.ts';
export type { VolumeId } from './volume-id.ts';
