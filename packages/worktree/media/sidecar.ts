/** What a sidecar of bk says of a file: what other programs have a place for. */
export interface SidecarFacts {
  readonly tags: readonly string[];
  readonly people: readonly string[];
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  /** 0 to 5. */
  readonly rating?: number | undefined;
}

const NAMESPACES: Readonly<Record<string, string>> = {
  dc: 'http://purl.org/dc/elements/1.1/',
  xmp: 'http://ns.adobe.com/xap/1.0/',
  lr: 'http://ns.adobe.com/lightroom/1.0/',
  Iptc4xmpExt: 'http://iptc.org/std/Iptc4xmpExt/2008-02-29/',
};
/** Other programs put their own name there when they write the file anew. */
const OURS = 'x:xmptk="bk"';

/**
 * An XMP sidecar (ISO 16684-1): Dublin Core for tags, title and description, IPTC Extension for people. A tag with
 * slashes is also a path in Lightroom's hierarchy. Equal facts give equal text. Undefined: there is nothing to say.
 */
export function formatSidecar({
  tags,
  people,
  title,
  description,
  rating,
}: SidecarFacts): string | undefined {
  const paths = tags.filter((tag) => tag.includes('/')).map((tag) => tag.replaceAll('/', '|'));
  const properties = [
    ...(rating === undefined ? [] : [`   <xmp:Rating>${rating}</xmp:Rating>`]),
    ...(title === undefined ? [] : [alternatives('dc:title', title)]),
    ...(description === undefined ? [] : [alternatives('dc:description', description)]),
    ...bag('dc:subject', tags),
    ...bag('lr:hierarchicalSubject', paths),
    ...bag('Iptc4xmpExt:PersonInImage', people),
  ];
  if (properties.length === 0) return undefined;
  const declared = Object.entries(NAMESPACES).map(([prefix, uri]) => `    xmlns:${prefix}="${uri}"`);
  return [
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
    `<x:xmpmeta xmlns:x="adobe:ns:meta/" ${OURS}>`,
    ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
    '  <rdf:Description rdf:about=""',
    `${declared.join('\n')}>`,
    ...properties,
    '  </rdf:Description>',
    ' </rdf:RDF>',
    '</x:xmpmeta>',
    '<?xpacket end="w"?>',
    '',
  ].join('\n');
}

/** Whether bk wrote it, and no other program since. */
export function isOwnSidecar(text: string): boolean {
  return /<x:xmpmeta\b[^>]*>/.exec(text)?.[0].includes(OURS) === true;
}

function alternatives(name: string, text: string): string {
  return listOf(name, 'rdf:Alt', [`<rdf:li xml:lang="x-default">${escaped(text)}</rdf:li>`]);
}

function bag(name: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [listOf(name, 'rdf:Bag', items.map((item) => `<rdf:li>${escaped(item)}</rdf:li>`))]; // biome-ignore format: short
}

function listOf(name: string, kind: string, items: readonly string[]): string {
  const lines = items.map((item) => `     ${item}`).join('\n');
  return `   <${name}>\n    <${kind}>\n${lines}\n    </${kind}>\n   </${name}>`;
}

function escaped(text: string): string {
  return text
    .replace(/[&<>"]/g, (char) => ENTITIES[char] ?? char)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
