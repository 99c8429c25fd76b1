/** An XML element; names with the prefix that the caller gave to their namespace, else as they stand. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
  /** What stands directly in it. */
  readonly text: string;
}

interface Open {
  readonly raw: string;
  readonly element: { name: string; attributes: Map<string, string>; children: Element[]; text: string };
  /** Prefixes as they are meant here. */
  readonly prefixes: ReadonlyMap<string, string>;
}

const LONGEST = 4 << 20;
const DEEPEST = 64;
const MOST_ELEMENTS = 50_000;
const MOST_PREFIXES = 256;

/**
 * Reads the XML that tags are written in: elements, attributes, namespaces, the five entities and numbered characters.
 * No document types, so no entities that grow. What is not well formed ends the reading; what was open is then closed.
 * @param namespaces the prefix for each namespace that the caller knows
 * @returns a root without name that holds the outermost elements; undefined if there are none
 */
export function parseXml(xml: string, namespaces: Readonly<Record<string, string>>): Element | undefined {
  if (xml.length > LONGEST) return undefined;
  const root = { name: '', attributes: new Map<string, string>(), children: [] as Element[], text: '' };
  const stack: Open[] = [{ raw: '', element: root, prefixes: new Map() }];
  let count = 0;
  TOKEN.lastIndex = 0;
  for (let token = TOKEN.exec(xml); token !== null; token = TOKEN.exec(xml)) {
    const top = stack.at(-1) as Open;
    const [, text, cdata, close, open, attributes = '', empty] = token;
    if (text !== undefined) top.element.text += plain(text);
    else if (cdata !== undefined) top.element.text += cdata;
    else if (close !== undefined) {
      if (stack.length < 2 || close !== top.raw) break;
      stack.pop();
    } else if (open !== undefined) {
      if (stack.length > DEEPEST || ++count > MOST_ELEMENTS) break;
      const child = openElement({ raw: open, attributes, outer: top.prefixes, namespaces });
      top.element.children.push(child.element);
      if (empty === '') stack.push(child);
    }
  }
  return root.children.length === 0 ? undefined : root;
}

/** Text, CDATA, comment or instruction, closing tag, opening tag; sticky, so that nothing is skipped. */
const TOKEN =
  /([^<]+)|<!\[CDATA\[([\s\S]*?)\]\]>|<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<\/([^\s<>/]+)\s*>|<([^\s<>/!?]+)((?:\s+[^\s<>=/]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y;
const ATTRIBUTE = /\s+([^\s<>=/]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g;

interface Tag {
  readonly raw: string;
  readonly attributes: string;
  readonly outer: ReadonlyMap<string, string>;
  readonly namespaces: Readonly<Record<string, string>>;
}

function openElement(tag: Tag): Open {
  const written = [...tag.attributes.matchAll(ATTRIBUTE)].map(
    ([, name = '', double, single]) => [name, plain(double ?? single ?? '')] as const,
  );
  const prefixes = withDeclared(tag, written);
  const attributes = new Map(
    written
      .filter(([name]) => !name.startsWith('xmlns'))
      .map(([name, value]) => [qualified(name, prefixes), value]),
  );
  const element = { name: qualified(tag.raw, prefixes), attributes, children: [], text: '' };
  return { raw: tag.raw, element, prefixes };
}

/** The prefixes that hold within an element: the outer ones and its own, up to a limit. */
function withDeclared(
  { outer, namespaces }: Pick<Tag, 'outer' | 'namespaces'>,
  attributes: readonly (readonly [name: string, value: string])[],
): ReadonlyMap<string, string> {
  const declared = attributes.filter(([name]) => name.startsWith('xmlns:'));
  if (declared.length === 0) return outer;
  const prefixes = new Map(outer);
  for (const [name, value] of declared.slice(0, MOST_PREFIXES - outer.size)) {
    const known = Object.hasOwn(namespaces, value) ? namespaces[value] : undefined;
    prefixes.set(name.slice(6), known ?? `{${value}}`);
  }
  return prefixes;
}

function qualified(name: string, prefixes: ReadonlyMap<string, string>): string {
  const colon = name.indexOf(':');
  if (colon < 0) return name;
  return `${prefixes.get(name.slice(0, colon)) ?? name.slice(0, colon)}${name.slice(colon)}`;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function plain(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/g,
    (whole, hex, decimal, name) => {
      if (name !== undefined) return ENTITIES[name as string] as string;
      const point = hex === undefined ? Number(decimal) : Number.parseInt(hex as string, 16);
      return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    },
  );
}
