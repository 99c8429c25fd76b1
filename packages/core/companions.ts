import { type EncodedName, type FsName, nameOf, parentOf, type RepoPath } from './path.ts';

/**
 * Files of one folder that are one picture or recording to a person: a raw file, the JPEG that the camera wrote beside
 * it, the film of a Live Photo, what programs noted of them. Known by their names alone, so whether two files are
 * companions depends on no third one, and an edit changes nothing of it.
 *
 * They have one stem, that is the name without one of these endings, whose letter case does not count (`IMG_1.CR2` and
 * `IMG_1.jpg`; programs change it). That of the stem does: `img_1.jpg` is another picture. A sidecar may bear the name
 * of its file with its ending (`IMG_1.CR2.xmp`, as darktable and digiKam write it) or without (`IMG_1.xmp`, as Lightroom
 * does). What has none of these endings is its own stem: `song.mp3` has `song.mp3.xmp`, and not `song.jpg`.
 */
const RAW =
  '3fr arw cr2 cr3 crw dng erf fff gpr iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f';
const PICTURE = 'jpg jpeg heic heif hif';
/** The moving part of a Live Photo, also as other clouds hand it out. */
const FILM = 'mov mp4';
const MEDIA: ReadonlySet<string> = new Set(`${RAW} ${PICTURE} ${FILM}`.split(' '));
/** Notes of Adobe's and most others, of RawTherapee, DxO and Apple's Photos; thumbnails beside films and old raw files. */
const SIDECARS: ReadonlySet<string> = new Set('xmp pp3 dop aae thm'.split(' '));

/** What the names of companions in one folder have in common, in the spelling of the name. */
export function companionStem<Name extends EncodedName | FsName>(name: Name): Name {
  return withoutEnding(withoutSidecarEnding(name), MEDIA);
}

/** Of a sidecar that bears the whole name of its file, that name. */
export function withoutSidecarEnding<Name extends EncodedName | FsName>(name: Name): Name {
  return withoutEnding(name, SIDECARS);
}

function withoutEnding<Name extends EncodedName | FsName>(name: Name, endings: ReadonlySet<string>): Name {
  const dot = name.lastIndexOf('.');
  if (dot <= 0 || !endings.has(name.slice(dot + 1).toLowerCase())) return name;
  return name.slice(0, dot) as Name;
}

/** The stem of a path's companions, with its folder: equal for companions, and for nothing else. */
export function companionStemAt(path: RepoPath): string {
  return `${parentOf(path)}/${companionStem(nameOf(path))}`;
}

/** The names of a folder's files and links that have companions, each with all of its group, itself included. */
export function groupCompanions(
  names: Iterable<EncodedName>,
): ReadonlyMap<EncodedName, readonly EncodedName[]> {
  const groups = new Map<string, EncodedName[]>();
  for (const name of names) {
    const stem = companionStem(name);
    const group = groups.get(stem);
    if (group === undefined) groups.set(stem, [name]);
    else group.push(name);
  }
  const found = new Map<EncodedName, readonly EncodedName[]>();
  for (const group of groups.values()) if (group.length > 1) for (const name of group) found.set(name, group);
  return found;
}
