import process from 'node:process';
import { BkError } from '@bk/core';
import {
  type Asker,
  type Channel,
  connectPeer,
  type Peer,
  type SshAddress,
  sshChannel,
  type Timeouts,
} from '@bk/remote';
import { type Config, settingsOf } from '@bk/store';
import type { Context } from '../context.ts';
import type { Repository } from '../repository.ts';

/** Who asks, and by which ssh. */
export interface Asking {
  readonly asker: Asker;
  readonly command: string | undefined;
}

/** A repository that asks another one. */
export function asking({ config }: Pick<Repository, 'config'>): Asking {
  const { id, name } = config;
  return { asker: { id, name }, command: sshCommand(config) };
}

/** Who asks before there is a repository: nobody is known by this id. */
export const NOBODY: Asking = {
  asker: { id: '00000000-0000-0000-0000-000000000000' },
  get command() {
    return sshCommand(undefined);
  },
};

function sshCommand(config: Config | undefined): string | undefined {
  const given = process.env['BK_SSH_COMMAND'];
  if (given !== undefined && given !== '') return given;
  return config === undefined ? undefined : settingsOf(config)['ssh.command'];
}

/**
 * Opens the repository at an address of ssh; closing the peer ends ssh.
 * @throws BkError 'unreachable', 'refused', with the address; what opening it there threw
 */
export async function sshPeer(
  address: SshAddress,
  { asker, command }: Asking,
  context: Context,
): Promise<Peer> {
  const wish = { kind: 'repository', path: address.path, asks: asker } as const;
  try {
    return await connectPeer(await openSsh(address, command, context), {
      wish,
      timeouts: sshTimeouts(context),
    });
  } catch (error) {
    throw named(error, address);
  }
}

export function openSsh(
  address: SshAddress,
  command: string | undefined,
  { person }: Context,
): Promise<Channel> {
  return sshChannel(address, {
    isAttended: person !== undefined,
    ...(command !== undefined && { command }),
    ...(person !== undefined && { tell: (line) => person.tell(line) }),
  });
}

/** A person takes time to type a password. BK_SSH_TIMEOUT: seconds after which silence is death. */
export function sshTimeouts({ person }: Pick<Context, 'person'>): Partial<Timeouts> {
  const seconds = Number(process.env['BK_SSH_TIMEOUT']);
  const attended = person === undefined ? {} : { greetingMs: ATTENDED_MS };
  if (!(seconds > 0 && seconds <= LONGEST_S)) return attended;
  const ms = seconds * 1000;
  return {
    greetingMs: ms,
    pingMs: ms / 4,
    silenceMs: ms,
    idleMs: ms,
    frameMs: ms,
    closeMs: Math.min(ms, CLOSE_MS),
  };
}

const ATTENDED_MS = 180_000;
const LONGEST_S = 86_400;
const CLOSE_MS = 5_000;

/** What the wire says of “the other bk” is said of the address. */
export function named(error: unknown, { text }: SshAddress): unknown {
  if (!(error instanceof BkError) || (error.code !== 'unreachable' && error.code !== 'refused')) return error;
  if (error.message.includes(text)) return error;
  const why = error.message.replace(/^cannot (?:reach|talk to|use) [^:]*: /, '');
  return new BkError(error.code, `cannot reach ${text}: ${why}`, {
    path: text,
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
