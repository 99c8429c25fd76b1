import { BkError } from '@bk/core';
import type { Address } from './address.ts';
import type { Peer } from './port.ts';

/** How each kind of address is opened; a kind without a way is refused. */
export interface Openers {
  readonly local: (path: string) => Promise<Peer>;
  readonly ssh?: (address: Extract<Address, { kind: 'ssh' }>) => Promise<Peer>;
  readonly git?: (address: Extract<Address, { kind: 'git' }>) => Promise<Peer>;
}

/** @throws BkError 'refused' for a kind that this bk cannot reach yet; what the opener throws */
export function openPeer(address: Address, openers: Openers): Promise<Peer> {
  switch (address.kind) {
    case 'local':
      return openers.local(address.path);
    case 'ssh':
      return openers.ssh?.(address) ?? notYet(address.text, 'over ssh');
    case 'git':
      return openers.git?.(address) ?? notYet(address.text, 'at git hosts');
    default:
      return address satisfies never;
  }
}

function notYet(text: string, where: string): Promise<never> {
  return Promise.reject(
    new BkError('refused', `cannot reach ${text}: repositories ${where} are not supported yet`, {
      hint: 'mount it, and give the path',
    }),
  );
}
