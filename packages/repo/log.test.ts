import { formatCommitMessage, type GitId, type RepoPath } from '@bk/core';
import { updateRef } from '@bk/store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { log } from './log.ts';
import { file, folder, idOf, type MadePast, NOW, newPast, own } from './past.fixture.ts';

const at = (text: string) => text as RepoPath;
const commitsOf = (past: MadePast, path?: string, more: object = {}) =>
  log(past.repo, { ...(path !== undefined && { path: at(path) }), ...more }, NOW).commits;
const trailOf = (past: MadePast, path: string): [GitId, string | undefined][] =>
  commitsOf(past, path).map((entry) => [entry.commit, entry.path]);

describe('log', () => {
  test('tells commits newest first, without their trailers, with what they changed', () => {
    using past = newPast();
    expect(commitsOf(past)).toEqual([]);
    const message = formatCommitMessage({
      message: 'sorted\n\nmuch',
      repository: { id: idOf(9), name: 'nas' },
      deletions: 'kept',
    });
    const first = past.commit({
      a: file(1),
      'd/b': file(2),
      [own('empty')]: folder(3),
      [own('d')]: folder(4, '0700'),
    });
    const second = past.commit({ z: file(1), 'd/b': file(2, 'new') }, { message });
    expect(commitsOf(past)).toEqual([
      {
        commit: second,
        parents: [first],
        author: 'Ann <ann@home>',
        time: '2026-10-01T14:01:00+02:00',
        message: 'sorted\n\nmuch',
        repository: { id: idOf(9), name: 'nas' },
        deletions: 'kept',
        summary: { added: 0, modified: 1, renamed: 1, deleted: 1, metadata: 1, typechange: 0 },
      },
      {
        commit: first,
        parents: [],
        author: 'Ann <ann@home>',
        time: '2026-10-01T14:00:00+02:00',
        message: 'x',
        summary: { added: 3, modified: 0, renamed: 0, deleted: 0, metadata: 0, typechange: 0 },
      },
    ]);
    expect(commitsOf(past, undefined, { limit: 1 })).toHaveLength(1);
    expect(commitsOf(past, undefined, { limit: 0 })).toEqual([]);
    expect(commitsOf(past, '', { rev: 'HEAD~' }).map(({ commit }) => commit)).toEqual([first]);
    expect(log(past.repo, { rev: first.slice(0, 8) }, NOW).commits).toHaveLength(1);
  });

  test('follows a file through renames and edits, not what is at its old path now', () => {
    using past = newPast();
    const [a, , c, d] = [
      past.commit({ 'in/x': file(1), y: file(2) }),
      past.commit({ 'in/x': file(1), y: file(2, 'edited') }),
      past.commit({ 'out/x2': file(1), 'in/x': file(2, 'edited') }),
      past.commit({ 'out/x2': file(1, 'edited too'), 'in/x': file(2, 'edited') }),
    ];
    expect(trailOf(past, 'out/x2')).toEqual([
      [d, 'out/x2'],
      [c, 'out/x2'],
      [a, 'in/x'],
    ]);
    expect(trailOf(past, 'in/x').map(([, path]) => path)).toEqual(['in/x', 'y', 'y']);
  });

  test('finds what was deleted, under its last path, and what came back', () => {
    using past = newPast();
    const a = past.commit({ x: file(1), k: file(9) });
    const b = past.commit({ k: file(9) });
    expect(trailOf(past, 'x')).toEqual([
      [b, 'x'],
      [a, 'x'],
    ]);
    past.commit({ k: file(9, 'edit') });
    const d = past.commit({ x: file(1), k: file(9) });
    expect(trailOf(past, 'x').map(([commit]) => commit)).toEqual([d, b, a]);
  });

  test('of a folder, all commits that touch it', () => {
    using past = newPast();
    const a = past.commit({ 'd/1': file(1), x: file(3) });
    past.commit({ 'd/1': file(1), x: file(3, 'e') });
    const c = past.commit({ 'd/1': file(1), 'd/s/2': file(2), x: file(3) });
    expect(trailOf(past, 'd').map(([commit]) => commit)).toEqual([c, a]);
    expect(trailOf(past, 'd/s').map(([commit]) => commit)).toEqual([c]);
    const d = past.commit({ x: file(3) });
    expect(trailOf(past, 'd').map(([commit]) => commit)).toEqual([d, c, a]);
  });

  test('goes through merges, each commit once', () => {
    using past = newPast();
    const base = past.commit({ x: file(1), y: file(2) });
    const left = past.commit({ x2: file(1), y: file(2) });
    const right = past.commit({ x: file(1, 'edit'), y: file(2) }, { parents: [base] });
    const merge = past.commit({ x2: file(1, 'edit'), y: file(2) }, { parents: [left, right] });
    expect(commitsOf(past).map(({ commit }) => commit)).toEqual([merge, right, left, base]);
    expect(trailOf(past, 'x2')).toEqual([
      [merge, 'x2'],
      [right, 'x'],
      [left, 'x2'],
      [base, 'x'],
    ]);
    expect(trailOf(past, 'y')).toEqual([[base, 'y']]);
  });

  test('follows an object into the one it was unified with', () => {
    using past = newPast();
    const a = past.commit({ old: file(2) });
    const b = past.commit({ new: file(1, 'content 2', { was: [idOf(2)] }) });
    expect(trailOf(past, 'new')).toEqual([
      [b, 'new'],
      [a, 'old'],
    ]);
  });

  test('starts from a remote or a date, and says what never was', () => {
    using past = newPast();
    const first = past.commit({ x: file(1) });
    past.commit({ x: file(1, 'y') });
    updateRef(past.repo.layout.history, 'refs/remotes/nas/main', undefined, first);
    for (const rev of ['nas', '2026-10-01T12:00:30Z'])
      expect(log(past.repo, { rev }, NOW).commits).toHaveLength(1);
    expect(() => commitsOf(past, 'never')).toThrow(
      expect.objectContaining({ code: 'not-found', path: 'never' }),
    );
  });

  test('agrees with looking at every commit, for random lines of history', () => {
    const op = fc.record({
      what: fc.constantFrom('move', 'edit', 'delete'),
      which: fc.nat(3),
      to: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(fc.array(op, { maxLength: 3 }), { minLength: 1, maxLength: 8 }), (steps) => {
        using past = newPast();
        const state = new Map<string, number[]>(); // path → object, version
        const places: { commit: GitId; at: Map<number, string> }[] = [];
        [0, 1, 2, 3].forEach((n) => void state.set(`p${n}`, [n, 0]));
        for (const step of [[], ...steps]) {
          for (const { what, which, to } of step) {
            const path = [...state].find(([, [n]]) => n === which)?.[0];
            if (path === undefined) continue;
            const [n, version] = state.get(path) as [number, number];
            if (what === 'delete' && state.size > 1) state.delete(path);
            if (what === 'edit') state.set(path, [n, version + 1]);
            if (what === 'move' && !state.has(`p${to}`)) {
              state.delete(path);
              state.set(`p${to}`, [n, version]);
            }
          }
          const records = Object.fromEntries(
            [...state].map(([path, [n, v]]) => [path, file(n!, `${n} ${v}`)]),
          );
          const commit = past.commit(records);
          places.push({ commit, at: new Map([...state].map(([path, [n, v]]) => [n!, `${path} ${v}`])) });
        }
        for (const [path, [n]] of state) {
          const changed = places.filter(({ at }, i) => at.get(n!) !== places[i - 1]?.at.get(n!));
          expect(trailOf(past, path)).toEqual(
            changed.reverse().map(({ commit, at }) => [commit, at.get(n!)!.split(' ')[0]]),
          );
        }
      }),
      { numRuns: 30 },
    );
  });
});
