import { nonEmptyList } from './text.ts';
import type { Element } from './xml.ts';

/** The namespaces in which programs say who is on a picture, by the prefix that is common for them. */
export const PEOPLE_NAMESPACES: Readonly<Record<string, string>> = {
  'http://iptc.org/std/Iptc4xmpExt/2008-02-29/': 'Iptc4xmpExt',
  'http://www.metadataworkinggroup.com/schemas/regions/': 'mwg-rs',
  'http://ns.microsoft.com/photo/1.2/t/RegionInfo#': 'MPRI',
  'http://ns.microsoft.com/photo/1.2/t/Region#': 'MPReg',
  'http://www.digikam.org/ns/1.0/': 'digiKam',
  'http://ns.adobe.com/lightroom/1.0/': 'lr',
};

/** Under this name digiKam and Lightroom keep those whose faces they know. */
const PEOPLE = /^people$/i;

/**
 * Who is on a picture, each once: IPTC's list, the names at faces (Metadata Working Group, Microsoft), and what digiKam
 * and Lightroom have below `People` in their trees of tags.
 */
export function peopleOf(root: Element): readonly string[] {
  const found: (string | undefined)[] = [];
  for (const element of elementsOf(root)) {
    for (const [name, namesIn] of SOURCES) if (element.name === name) found.push(...namesIn(element));
  }
  return [...new Set(nonEmptyList(found.filter((name) => name !== undefined)) ?? [])];
}

const SOURCES: readonly (readonly [
  list: string,
  names: (list: Element) => readonly (string | undefined)[],
])[] = [
  ['Iptc4xmpExt:PersonInImage', (list) => itemsOf(list).map(({ text }) => text)],
  [
    'Iptc4xmpExt:PersonInImageWDetails',
    (list) => itemsOf(list).map((item) => fieldOf(item, 'Iptc4xmpExt:PersonName')),
  ],
  ['mwg-rs:RegionList', (list) => itemsOf(list).map(faceOf)],
  ['MPRI:Regions', (list) => itemsOf(list).map((item) => fieldOf(item, 'MPReg:PersonDisplayName'))],
  ['digiKam:TagsList', (list) => leavesBelowPeople(itemsOf(list).map(({ text }) => text.split('/')))],
  ['lr:hierarchicalSubject', (list) => leavesBelowPeople(itemsOf(list).map(({ text }) => text.split('|')))],
];

function* elementsOf(element: Element): Generator<Element> {
  yield element;
  for (const child of element.children) yield* elementsOf(child);
}

function itemsOf({ children }: Element): readonly Element[] {
  return (children[0]?.children ?? []).filter(({ name }) => name === 'rdf:li');
}

/** A field of a structure, which RDF writes in four ways: attributes or elements, in it or in a description in it. */
function fieldOf(item: Element, name: string): string | undefined {
  for (const holder of [item, ...item.children.filter((child) => child.name === 'rdf:Description')]) {
    const attribute = holder.attributes.get(name);
    if (attribute !== undefined) return attribute;
    const child = holder.children.find((one) => one.name === name);
    // A text in several languages is a list; the first one will do.
    if (child !== undefined) return itemsOf(child)[0]?.text ?? child.text;
  }
  return undefined;
}

/** Regions are also of pets, bar codes and focus points. */
function faceOf(region: Element): string | undefined {
  const type = fieldOf(region, 'mwg-rs:Type') ?? 'Face';
  return type === 'Face' ? fieldOf(region, 'mwg-rs:Name') : undefined;
}

/** Lightroom lists each tag's ancestors too, which are groups of people and no people. */
function leavesBelowPeople(paths: readonly (readonly string[])[]): readonly (string | undefined)[] {
  const ancestors = new Set(paths.map((path) => path.slice(0, -1).join('\0')));
  return paths
    .filter((path) => path.length > 1 && PEOPLE.test(path[0] ?? '') && !ancestors.has(path.join('\0')))
    .map((path) => path.at(-1));
}
