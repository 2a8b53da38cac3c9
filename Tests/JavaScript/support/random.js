/** A small generator with a seed, so that a failure can be seen again: `random(seed)(6)` is 0 … 5. */
export function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** From the environment's APUS_SEED, to see a failure again. */
export const chosenSeed = () => Number(process.env.APUS_SEED ?? Date.now() % 1_000_000);
