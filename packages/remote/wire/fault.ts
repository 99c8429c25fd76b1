import { BkError, type ErrorCode, EXIT_CODES, type JsonObject, type JsonValue } from '@bk/core';

/** Characters of a message or a hint from the other side. */
const MOST_TEXT = 1_000;
const MOST_PATH = 4_096;

/** An error as it travels: its code and its words, never where in the program it arose. */
export function faultOf(error: unknown): JsonObject {
  if (!(error instanceof BkError)) return { ...systemFault(error) };
  const { code, message, hint, path } = error;
  return {
    code: code === 'interrupted' ? 'unreachable' : code,
    message: shown(message, MOST_TEXT),
    ...(hint !== undefined && { hint: shown(hint, MOST_TEXT) }),
    ...(path !== undefined && path.length <= MOST_PATH && { path }),
  };
}

/** What the other side gives as an error, made one of ours: a code of the closed list, text that is safe to show. */
export function errorOf(fault: JsonValue): BkError {
  const { code, message, hint, path } = (fault ?? {}) as Readonly<Record<string, unknown>>;
  const known = typeof code === 'string' && Object.hasOwn(EXIT_CODES, code) && code !== 'interrupted';
  const text = typeof message === 'string' && message !== '' ? shown(message, MOST_TEXT) : 'it said no more';
  return new BkError(known ? (code as ErrorCode) : 'damaged', text, {
    ...(typeof hint === 'string' && hint !== '' && { hint: shown(hint, MOST_TEXT) }),
    ...(typeof path === 'string' && isPath(path) && { path }),
  });
}

/** Text of unknown origin on one line: what could steer a terminal or turn the line around is escaped, the rest cut. */
export function shown(text: string, most: number): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(UNSAFE, (one) => {
    const code = one.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

function isPath(path: string): boolean {
  return path.length <= MOST_PATH && !/[\p{Cc}\p{Cs}]/u.test(path);
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);

function systemFault(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const text = shown(String(message ?? error), MOST_TEXT);
  if (typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code))
    return { code: 'bug', message: `the other bk has failed: ${text}` };
  return { code: FULL.has(code) ? 'no-space' : 'io', message: `the other bk has failed: ${text}` };
}
