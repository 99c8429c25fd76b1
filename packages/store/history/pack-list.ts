import fs from 'node:fs';
import path from 'node:path';
import { BkError, type GitId } from '@bk/core';
import { PackIndex } from './pack-index.ts';
import type { PackSource } from './pack-windows.ts';

/** A pack of the history; its index is loaded when it is first searched. */
export interface Pack extends PackSource {
  /** `pack-<40 hex digits>` */
  readonly name: string;
  index: PackIndex | undefined;
}

let lastKey = 0;

/**
 * The packs under `objects/pack`, and where an object lies in them. The pack that answered last is asked first.
 * A pack whose index cannot be used is set aside, so that another copy of an object is found all the same.
 */
export class PackList {
  readonly #folder: string;
  #packs: Pack[] = [];
  /** Why packs were set aside, by name. */
  readonly setAside = new Map<string, BkError>();

  constructor(historyDir: string) {
    this.#folder = path.join(historyDir, 'objects', 'pack');
    this.refresh();
  }

  /** Lists the folder again: another process may have committed, or `git gc` replaced the packs. */
  refresh(): void {
    const known = new Map(this.#packs.map((pack) => [pack.name, pack]));
    const names = this.#list().filter((name) => /^pack-[0-9a-f]{40}\.idx$/.test(name));
    this.#packs = names.sort().map((file) => {
      const name = file.slice(0, -4);
      return known.get(name) ?? this.#newPack(name);
    });
    for (const name of this.setAside.keys()) if (!names.includes(`${name}.idx`)) this.setAside.delete(name);
  }

  #list(): string[] {
    try {
      return fs.readdirSync(this.#folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new BkError('damaged', 'the history is damaged: it has no folder for packs', {
        path: this.#folder,
        hint: 'run `bk check`',
      });
    }
  }

  #newPack(name: string): Pack {
    return {
      key: ++lastKey,
      name,
      file: path.join(this.#folder, `${name}.pack`),
      size: -1,
      index: undefined,
    };
  }

  /** Finds an object by its 20 bytes; `after` goes on with the packs behind that one. */
  find(id: Buffer, after?: Pack): { pack: Pack; offset: number } | undefined {
    for (let i = after === undefined ? 0 : this.#packs.indexOf(after) + 1; i < this.#packs.length; i++) {
      const pack = this.#packs[i]!;
      const offset = this.#guard(pack, (index) => index.find(id)) ?? -1;
      if (offset < 0) continue;
      if (i > 0 && after === undefined) this.#moveToFront(i);
      return { pack, offset };
    }
    return undefined;
  }

  withPrefix(prefix: string): GitId[] {
    return this.#packs.flatMap((pack) => this.#guard(pack, (index) => index.withPrefix(prefix)) ?? []);
  }

  /** Where the object lies in this very pack, or -1. */
  findIn(pack: Pack, id: Buffer): number {
    return this.#guard(pack, (index) => index.find(id)) ?? -1;
  }

  #moveToFront(at: number): void {
    const [pack] = this.#packs.splice(at, 1);
    this.#packs.unshift(pack!);
  }

  /** Uses a pack's index; undefined if it vanished or is damaged. */
  #guard<T>(pack: Pack, use: (index: PackIndex) => T): T | undefined {
    if (this.setAside.has(pack.name)) return undefined;
    try {
      pack.index ??= new PackIndex(fs.readFileSync(path.join(this.#folder, `${pack.name}.idx`)));
      return use(pack.index);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      if (!(error instanceof BkError)) throw error;
      const message = `the index of ${pack.name} is damaged: ${error.message}`;
      this.setAside.set(
        pack.name,
        new BkError('damaged', message, { path: pack.file, hint: 'run `bk check`' }),
      );
      return undefined;
    }
  }
}
