import type { GitId, MergeEntry, Rec, RepoPath } from '@bk/core';
import { describe, expect, it } from 'vitest';
import { recordReader } from '../history/differences.ts';
import { file, idOf, type MadePast, newPast } from '../past.fixture.ts';
import { SideVersions } from './versions.ts';

const REPOSITORY = { a: '11111111-1111-4111-8111-111111111111', b: '22222222-2222-4222-8222-222222222222' };

function said(name: keyof typeof REPOSITORY): string {
  return `x\n\nBk-Repository: ${REPOSITORY[name]} ${name}\n`;
}

function entry(record: Rec): MergeEntry {
  return { path: 'anywhere' as RepoPath, record, blob: '' as GitId };
}

function versions(past: MadePast, side: GitId, other: GitId): (record: Rec) => string {
  const { history } = past.repo;
  const of = new SideVersions(history, recordReader(history), { side, other });
  return (record) => {
    const { timeSec, commit, repository } = of.of(entry(record));
    expect(history.readCommit(commit).committer.timeSec).toBe(timeSec);
    return `${repository} ${timeSec}`;
  };
}

describe('versions of a side', () => {
  it('are of the newest commit of that side alone that changed the object, by move, edit or attributes', () => {
    using past = newPast();
    const base = past.commit({ x: file(1), y: file(2), z: file(3) }, { timeSec: 100, message: said('b') });
    const one = past.commit(
      { x: file(1, 'edited'), y: file(2), z: file(3) },
      { timeSec: 200, message: said('a') },
    );
    const two = past.commit(
      { x: file(1, 'edited'), 'm/y': file(2), z: file(3, 'content 3', { attrs: { title: 't' } }) },
      { timeSec: 300, message: said('b') },
    );
    const other = past.commit({ x: file(1) }, { parents: [base], timeSec: 400, message: said('b') });
    const of = versions(past, two, other);
    expect(['a 200', 'b 300', 'b 300']).toEqual([of(file(1)), of(file(2)), of(file(3))]);
    expect(versions(past, other, two)(file(2))).toBe('b 400');
    expect(versions(past, one, other)(file(1))).toBe('a 200');
  });

  it('ties go to the greater commit id, and later times to what is later, whatever the order of the graph', () => {
    using past = newPast();
    const base = past.commit({ x: file(1) }, { timeSec: 100, message: said('a') });
    const one = past.commit({ x: file(1, 'one') }, { parents: [base], timeSec: 500, message: said('a') });
    const two = past.commit({ x: file(1, 'two') }, { parents: [one], timeSec: 400, message: said('b') });
    expect(versions(past, two, base)(file(1))).toBe('a 500');
    const tie = past.commit({ x: file(1, 'tie') }, { parents: [two], timeSec: 500, message: said('b') });
    const expected = tie > one ? 'b 500' : 'a 500';
    expect(versions(past, tie, base)(file(1))).toBe(expected);
  });

  it('an object that became one with another is that one too', () => {
    using past = newPast();
    const base = past.commit({ z: file(9) }, { timeSec: 100, message: said('a') });
    const one = past.commit({ z: file(9), x: file(5) }, { timeSec: 200, message: said('b') });
    expect(versions(past, one, base)(file(1, 'content', { was: [idOf(5)] }))).toBe('b 200');
  });

  it('a merge joins what others did: its objects are dated by them, its copies by their content', () => {
    using past = newPast();
    const base = past.commit({ x: file(1), y: file(2) }, { timeSec: 100, message: said('a') });
    const one = past.commit(
      { x: file(1, 'one'), y: file(2) },
      { parents: [base], timeSec: 200, message: said('a') },
    );
    const two = past.commit(
      { x: file(1, 'two'), y: file(2) },
      { parents: [base], timeSec: 300, message: said('b') },
    );
    const merge = past.commit(
      { x: file(1, 'two', { conflict: {} }), copy: file(7, 'one'), y: file(2) },
      { parents: [one, two], timeSec: 301, message: 'Merge\n' },
    );
    const of = versions(past, merge, base);
    expect(of(file(1))).toBe('b 300');
    expect(of(file(7, 'one'))).toBe('a 200');
    // Nothing says anything of it: the newest commit of a repository.
    expect(of(file(8, 'never'))).toBe('b 300');
  });

  it('reads no more commits than the question needs', () => {
    using past = newPast();
    const base = past.commit({ x: file(1) }, { timeSec: 100, message: said('a') });
    let head = base;
    for (let i = 1; i <= 20; i++)
      head = past.commit({ x: file(1), y: file(2, `${i}`) }, { timeSec: 100 + i, message: said('a') });
    const { history } = past.repo;
    let trees = 0;
    const reader = {
      readTree: (id: GitId) => {
        trees++;
        return history.readTree(id);
      },
      readBlobText: (id: GitId) => history.readBlobText(id),
      readCommit: (id: GitId) => history.readCommit(id),
    };
    const of = new SideVersions(reader, recordReader(history), { side: head, other: base });
    expect(of.of(entry(file(2))).timeSec).toBe(120);
    expect(trees).toBe(2);
  });
});
