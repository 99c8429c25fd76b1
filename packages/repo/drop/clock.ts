/** ms; only differences mean anything. */
export type Clock = () => number;

/**
 * A clock for deadlines: of two that go on differently while the machine sleeps or somebody sets the time, the one that
 * went farthest counts, so that a promise is at worst believed to end too early.
 */
export function farthestClock(
  wall: Clock = () => Date.now(),
  steady: Clock = () => performance.now(),
): Clock {
  const wallStart = wall();
  const steadyStart = steady();
  let farthest = 0;
  return () => {
    farthest = Math.max(farthest, wall() - wallStart, steady() - steadyStart);
    return farthest;
  };
}
