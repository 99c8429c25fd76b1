import { BkError, type ErrorCode } from '@bk/core';

/** An error as plain data: what is sent between threads loses its class and its code, by which it is told to people. */
export interface PackedFailure {
  readonly own: boolean;
  readonly message: string;
  readonly stack: string | undefined;
  /** What errors of ours, of the system and of SQLite carry. */
  readonly fields: Readonly<Record<string, unknown>>;
}

const FIELDS = ['code', 'errno', 'syscall', 'path', 'dest', 'hint'];

export function packFailure(error: unknown): PackedFailure {
  if (!(error instanceof Error)) return { own: false, message: String(error), stack: undefined, fields: {} };
  const { message, stack } = error;
  const all = error as unknown as Record<string, unknown>;
  const known = FIELDS.filter((name) => ['string', 'number'].includes(typeof all[name]));
  const fields = Object.fromEntries(known.map((name) => [name, all[name]]));
  return { own: error instanceof BkError, message, stack, fields };
}

export function unpackFailure({ own, message, stack, fields }: PackedFailure): Error {
  const { code, hint, path } = fields as { code: ErrorCode; hint?: string; path?: string };
  const error = own
    ? new BkError(code, message, { ...(hint !== undefined && { hint }), ...(path !== undefined && { path }) })
    : Object.assign(new Error(message), fields);
  if (stack !== undefined) error.stack = stack;
  return error;
}
