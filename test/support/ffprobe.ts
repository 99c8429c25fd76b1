import type { JsonObject, JsonValue } from '@bk/core';
import { run } from '../../fixtures/media/run.ts';
import { type Agreement, agreementOf } from './media-agreement.ts';

interface Probed {
  readonly format: { readonly duration?: string; readonly tags?: Readonly<Record<string, string>> };
  readonly streams: readonly Stream[];
}
interface Stream {
  readonly codec_type: string;
  readonly codec_name?: string;
  readonly width?: number;
  readonly height?: number;
  readonly avg_frame_rate?: string;
  readonly sample_rate?: string;
  readonly channels?: number;
  readonly bits_per_sample?: number;
  readonly bits_per_raw_sample?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly side_data_list?: readonly { readonly rotation?: number }[];
  readonly disposition?: { readonly attached_pic?: number };
}

export function ffprobe(file: string): Probed {
  return JSON.parse(
    run('ffprobe', '-v', 'error', '-show_format', '-show_streams', '-of', 'json', file),
  ) as Probed;
}

/** Every field that ffprobe knows of a recording, against ours. */
export function compareRecording(media: JsonObject, { format, streams }: Probed): Agreement {
  const sound = streams.find((stream) => stream.codec_type === 'audio');
  const picture = streams.find(
    (stream) => stream.codec_type === 'video' && stream.disposition?.attached_pic !== 1,
  );
  const tags = lowered({ ...sound?.tags, ...picture?.tags, ...format.tags });
  const rotation = picture?.side_data_list?.find((data) => data.rotation !== undefined)?.rotation;
  return agreementOf(media, {
    kind: picture === undefined ? 'audio' : 'video',
    duration: format.duration === undefined ? undefined : Number(format.duration),
    width: picture?.width,
    height: picture?.height,
    'video.codec': picture?.codec_name,
    'video.frameRate': rateOf(picture?.avg_frame_rate),
    'video.rotation': rotation === undefined ? undefined : (360 - rotation) % 360,
    'audio.codec': sound?.codec_name,
    'audio.sampleRate': sound?.sample_rate === undefined ? undefined : Number(sound.sample_rate),
    'audio.channels': sound?.channels,
    'audio.bitDepth': bitDepthOf(sound),
    ...tagFields(tags),
  });
}

function tagFields(tags: Readonly<Record<string, string>>): Record<string, JsonValue | undefined> {
  const [track, tracks] = (tags['track'] ?? '').split('/');
  const [disc, discs] = (tags['disc'] ?? '').split('/');
  return {
    title: tags['title'],
    artist: list(tags['artist']),
    album: tags['album'],
    albumArtist: tags['album_artist'],
    composer: list(tags['composer']),
    genre: list(tags['genre']),
    date: tags['date'],
    year: number(tags['date']?.slice(0, 4)),
    'track.number': number(track),
    'track.total': number(tracks ?? tags['tracktotal']),
    'disc.number': number(disc),
    'disc.total': number(discs ?? tags['disctotal']),
    rights: tags['copyright'],
    software: tags['encoder'],
    taken:
      tags['com.apple.quicktime.creationdate']?.replace(/(\d\d)(\d\d)$/, '$1:$2') ??
      tags['creation_time']?.replace(/\.0+Z$/, 'Z'),
  };
}

function lowered(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [name.toLowerCase(), value]));
}

function list(text: string | undefined): JsonValue | undefined {
  return text === undefined ? undefined : [text];
}

function number(text: string | undefined): number | undefined {
  return text === undefined || !/^\d+$/.test(text) || Number(text) === 0 ? undefined : Number(text);
}

function rateOf(text = '0/0'): number | undefined {
  const [above = 0, below = 0] = text.split('/').map(Number);
  return above > 0 && below > 0 ? above / below : undefined;
}

/** Only sound without loss has one. */
function bitDepthOf(sound: Stream | undefined): number | undefined {
  if (!/^(?:pcm_|flac$|alac$)/.test(sound?.codec_name ?? '')) return undefined;
  return number(sound?.bits_per_raw_sample) ?? (sound?.bits_per_sample || undefined);
}
