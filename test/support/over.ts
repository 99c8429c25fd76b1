import path from 'node:path';
import process from 'node:process';

/** What stands for ssh: starts the bk under test as the other end, so that all but the encryption is real. */
export const AS_SSH = path.join(import.meta.dirname, 'as-ssh');

/**
 * BK_OVER=ssh: the suites of whole programs reach other repositories by addresses of ssh, where they are written with
 * folders.
 */
export function isOverSsh(): boolean {
  return process.env['BK_OVER'] === 'ssh';
}

export function overEnvironment(): Record<string, string> {
  return isOverSsh() ? { BK_SSH_COMMAND: AS_SSH } : {};
}

/** The same command with addresses of ssh for absolute folders: of `remote add`, and where a clone goes or comes from. */
export function overArguments(args: readonly string[]): readonly string[] {
  if (!isOverSsh()) return args;
  const at = args.findIndex((one) => one === 'remote' || one === 'clone');
  if (at < 0) return args;
  if (args[at] === 'clone') return cloneArguments(args, at);
  const last = args.at(-1)!;
  return args[at + 1] === 'add' && path.isAbsolute(last) ? [...args.slice(0, -1), address(last)] : args;
}

/** Always the bk at the other end makes it, so that both know each other as they do where clones are made by folder. */
function cloneArguments(args: readonly string[], at: number): readonly string[] {
  const last = args.at(-1)!;
  if (!path.isAbsolute(last) || args.includes('--dry-run')) return args;
  const given = args.length - 2 > at && path.isAbsolute(args.at(-2)!) ? args.at(-2) : undefined;
  const directory = args.includes('-C') ? args[args.indexOf('-C') + 1] : undefined;
  const from = given ?? directory;
  if (from === undefined || !path.isAbsolute(from)) return args;
  const words = args.slice(at, given === undefined ? -1 : -2);
  const before = args.slice(0, at).filter((one) => one !== '-C' && one !== directory);
  return [...before, '-C', from, ...words, '--origin', address(from), address(last)];
}

function address(folder: string): string {
  return `ssh://there${folder.split('/').map(encodeURIComponent).join('/')}`;
}
