import { spawnSync } from 'node:child_process';

interface Said {
  readonly SourceFile: string;
  readonly PersonInImage?: unknown;
  readonly PersonInImageWDetails?: readonly { readonly PersonName?: string }[];
  readonly RegionInfo?: {
    readonly RegionList?: readonly { readonly Name?: string; readonly Type?: string }[];
  };
  readonly RegionInfoMP?: { readonly Regions?: readonly { readonly PersonDisplayName?: string }[] };
  readonly TagsList?: unknown;
  readonly HierarchicalSubject?: unknown;
}

/** Who is on each file, by what exiftool reads in it, sorted. */
export function exiftoolPeople(files: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const { stdout, error } = spawnSync('exiftool', ['-j', '-struct', '-XMP:all', ...files], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (error !== undefined) throw error;
  const all = JSON.parse(stdout) as readonly Said[];
  return new Map(all.map((said) => [said.SourceFile, [...new Set(namesIn(said))].sort()]));
}

function namesIn(said: Said): string[] {
  const faces =
    said.RegionInfo?.RegionList?.filter(({ Type }) => Type === undefined || Type === 'Face') ?? [];
  return [
    ...listed(said.PersonInImage),
    ...(said.PersonInImageWDetails ?? []).map(({ PersonName }) => PersonName),
    ...faces.map(({ Name }) => Name),
    ...(said.RegionInfoMP?.Regions ?? []).map(({ PersonDisplayName }) => PersonDisplayName),
    ...leaves(listed(said.TagsList), '/'),
    ...leaves(listed(said.HierarchicalSubject), '|'),
  ].flatMap((name) => String(name ?? '').trim() || []);
}

function listed(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

function leaves(paths: readonly unknown[], slash: string): readonly string[] {
  const below = paths.map(String).filter((at) => at.startsWith(`People${slash}`));
  return below
    .filter((at) => !below.some((other) => other.startsWith(`${at}${slash}`)))
    .map((at) => at.slice(at.lastIndexOf(slash) + 1));
}
