import { type EncodedName, formatRecord, type GitId, parseRecord, type Rec } from '@bk/core';
import { HistoryReader, layoutOf, PackWriter, readRef, updateRef } from '@bk/store';
import type { TestTree } from './tree.fixture.ts';

/** Commits another record for one blob of the head behind bk's back, as another version of bk or a merge might. */
export function amend(tree: TestTree, blob: string, change: (rec: Rec) => Rec): GitId {
  const layout = layoutOf(tree.root);
  const reader = new HistoryReader(layout.history);
  const writer = new PackWriter(layout.history, layout.staging, { reader });
  const head = readRef(layout.history, 'refs/heads/main')!;
  const parent = reader.readCommit(head);
  const rewrite = (id: GitId, names: readonly string[]): GitId => {
    const [name, ...below] = names;
    const entries = reader.readTree(id).map((entry) => {
      if (entry.name !== (name as EncodedName)) return entry;
      if (below.length > 0) return { ...entry, id: rewrite(entry.id, below) };
      return {
        ...entry,
        id: writer.addBlob(formatRecord(change(parseRecord(reader.readBlobText(entry.id))))),
      };
    });
    return writer.addTree(entries);
  };
  const treeId = rewrite(parent.tree, blob.split('/'));
  const { author, committer } = parent;
  const id = writer.addCommit({ tree: treeId, parents: [head], author, committer, message: 'amended\n' });
  writer.finish();
  updateRef(layout.history, 'refs/heads/main', head, id);
  reader.close();
  return id;
}
