import { LIMITS } from '../port.ts';
import { Batch, type Sending } from './batch.ts';

/** Sends bytes, whatever pieces they come in. @throws what `bytes` throws, and what ends sending */
export async function sendBytes(bytes: AsyncIterable<Uint8Array>, sending: Sending): Promise<void> {
  const batch = new Batch(sending);
  try {
    for await (const piece of bytes) {
      for (let at = 0; at < piece.length; at += LIMITS.chunk) {
        const part = piece.subarray(at, at + LIMITS.chunk);
        (await batch.room(part.length)).set(part);
        batch.keep(part.length);
      }
    }
    await batch.flush();
  } catch (error) {
    await batch.flush().catch(() => {});
    throw error;
  } finally {
    batch.stop();
  }
}
