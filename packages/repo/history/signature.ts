import os from 'node:os';
import { type Signature, settingsOf } from '@bk/store';
import type { Context } from '../context.ts';
import type { Repository } from '../repository.ts';

/** Who commits, and when: from the settings, else user@host. */
export function signatureOf(repo: Repository, context: Context): Signature {
  const settings = settingsOf(repo.config);
  const user = userName();
  const nowMs = context.nowMs();
  return {
    name: settings['author.name'] ?? user,
    email: settings['author.email'] ?? `${user}@${plain(os.hostname())}`,
    timeSec: Math.floor(nowMs / 1000),
    offsetMinutes: -new Date(nowMs).getTimezoneOffset(),
  };
}

function userName(): string {
  try {
    return plain(os.userInfo().username);
  } catch {
    return 'unknown'; // a user id without an entry in the system's list of users
  }
}

function plain(text: string): string {
  return text.replace(/[\p{Cc}<>]/gu, '').trim() || 'unknown';
}
