/** Both have ended when this does, also if one failed: nothing goes on behind the back of who cleans up. */
export async function both<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}
