import net from 'node:net';
import { type Peer, type RepositoryWish, SocketIncoming, servePeer, streamChannel } from '@bk/remote';
import { advanceFromIncoming } from './advance/advance.ts';
import type { Context } from './context.ts';
import { offerRepository } from './peers/offer.ts';
import { openThere } from './peers/there.ts';
import { openRepositoryAt } from './repository.ts';
import { cloneHere } from './serve/clone-here.ts';
import { type Place, placeBelow, placeOf } from './serve/place.ts';

export interface ServeOptions {
  /** Absolute. Every path that is asked for begins there, and nothing outside is opened. */
  readonly root?: string;
  /** Nothing is taken, no head is moved, nothing is made here. Promises to keep contents are given all the same. */
  readonly readOnly?: boolean;
}

/** Descriptors of bytes from and to another process; pipes or sockets. */
export interface Stdio {
  readonly input: number;
  readonly output: number;
}

/**
 * Answers another bk at the other end of two pipes until it ends: the repository that it asks for, opened for it.
 * @throws BkError what ended it, unless the other side said that it ends
 */
export async function serve(
  { input, output }: Stdio,
  options: ServeOptions,
  context: Context,
): Promise<void> {
  const { root, readOnly = false } = options;
  // They do not block: while one waits, the other goes on.
  const incoming = new SocketIncoming(
    (onread) => new net.Socket({ fd: input, readable: true, writable: false, onread }),
  );
  const outgoing = new net.Socket({ fd: output, readable: false, writable: true });
  await servePeer(streamChannel(incoming, outgoing), {
    open: async (wish) => offered(wish, options, context),
    ...(!readOnly && { clone: (wish, asking) => cloneHere(wish, asking, root, context) }),
  });
}

function offered({ path, asks }: RepositoryWish, options: ServeOptions, context: Context): Peer {
  const place = placeFor(path, options);
  try {
    // By a path that may lead through the held descriptor: to look for its real name would be to look again.
    const there = openThere(place.path, path, options.root === undefined ? undefined : openRepositoryAt);
    try {
      return offerRepository(
        there,
        {
          asker: asks.id,
          address: path,
          readOnly: options.readOnly === true,
          onClose: () => {
            there.close();
            place.close();
          },
          moveMain: (repo, _from, to) => advanceFromIncoming(repo, to, context),
        },
        context,
      );
    } catch (error) {
      there.close();
      throw error;
    }
  } catch (error) {
    place.close();
    throw error;
  }
}

function placeFor(path: string, { root }: ServeOptions): Place {
  return root === undefined ? placeOf(path) : placeBelow(root, path);
}
