import type { MergeCase } from './merge.fixture.ts';

/** G27: histories that have nothing in common. The union; nothing is moved, nothing deleted. */
const CASES: readonly Omit<MergeCase, 'base'>[] = [
  {
    name: 'nothing in common: the union',
    a: { f: '1 x', 'd/g': '2 y' },
    b: { h: '3 z' },
    tree: { f: '1 x', 'd/g': '2 y', h: '3 z' },
  },
  { name: 'one of them is empty', a: {}, b: { f: '1 x' }, tree: { f: '1 x' } },
  { name: 'both are empty', a: {}, b: {}, tree: {} },
  {
    name: 'the same content at the same path: one object',
    a: { f: '1 x t=2' },
    b: { f: '2 x t=3' },
    tree: { f: '1 x t=3 was=2' },
  },
  {
    name: 'the same content at the same path, described by each side: by key, the later version, tags as sets',
    a: { f: '1 x mode=0600 title=T tags=a' },
    b: { f: '2 x mode=0640 title=U tags=b place=P' },
    tree: { f: '1 x mode=0640 place=P tags=a,b title=U was=2' },
  },
  {
    name: 'the same content at different paths: both stay',
    a: { 'Pictures/2014/p.jpg': '1 x' },
    b: { 'Fotos_alt/p.jpg': '2 x' },
    tree: { 'Pictures/2014/p.jpg': '1 x', 'Fotos_alt/p.jpg': '2 x' },
  },
  {
    name: 'different contents at the same path: both, one beside the other',
    a: { 'f.jpg': '1 x t=2' },
    b: { 'f.jpg': '2 y t=3' },
    tree: { 'f.jpg': '2 y t=3 !add-add', 'f (conflict A 2020-01-02).jpg': '1 x t=2 !add-add' },
    conflicts: ['add-add f.jpg | f (conflict A 2020-01-02).jpg'],
  },
  {
    name: 'different contents at one path, of which one is elsewhere too: nothing is taken for moved',
    a: { f: '1 x t=2' },
    b: { f: '2 y t=3', g: '3 x' },
    tree: { f: '2 y t=3 !add-add', 'f (conflict A 2020-01-02)': '1 x t=2 !add-add', g: '3 x' },
    conflicts: ['add-add f | f (conflict A 2020-01-02)'],
  },
  {
    name: 'the same object id on both sides though nothing is in common: one object, no content lost',
    a: { f: '1 x t=2' },
    b: { f: '1 y t=3' },
    tree: { f: '1 y t=3 !content', 'f (conflict A 2020-01-02)': '1+x x t=2 !content' },
    conflicts: ['content f | f (conflict A 2020-01-02)'],
  },
  {
    name: "the same object id at different paths though nothing is in common: the later version's, told",
    a: { f: '1 x' },
    b: { g: '1 x' },
    tree: { g: '1 x !rename-rename(f:x|g:x)' },
    conflicts: ['rename-rename g'],
  },
  {
    name: 'folders of the same name: one folder',
    a: { d: '1 dir entity=album title=T', 'd/f': '2 x' },
    b: { d: '3 dir entity=album tags=k', 'd/g': '4 y' },
    tree: { d: '1 dir entity=album tags=k title=T was=3', 'd/f': '2 x', 'd/g': '4 y' },
  },
  {
    name: 'a file here, a folder there',
    a: { d: '1 x' },
    b: { 'd/f': '2 y' },
    tree: { 'd/f': '2 y', 'd (conflict A 2020-01-01)': '1 x !file-directory' },
    conflicts: ['file-directory d | d (conflict A 2020-01-01)'],
  },
  {
    name: 'names that differ only by case',
    a: { 'Pictures.txt': '1 x' },
    b: { 'pictures.txt': '2 y' },
    tree: { 'Pictures.txt': '1 x', 'pictures.txt': '2 y !case' },
    conflicts: ['case pictures.txt | Pictures.txt'],
  },
  {
    name: 'an object unified before with one of the other side',
    a: { f: '1 x was=3' },
    b: { f: '3 x t=2' },
    tree: { f: '1 x t=2 was=3' },
  },
];

export const UNRELATED: readonly MergeCase[] = CASES.map((one) => ({ ...one, base: {} }));
