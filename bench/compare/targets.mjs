// What nacre is to reach, and how far it is.

/** Each: what, in which corpora, how to read it from (nacre, restic), and the bound. */
const TARGETS = [
  faster('first backup', { small: 2.5, binaries: 2.5, noise: 3.5 }),
  faster('second backup', { small: 2.5 }),
  faster('restore', { small: 2, binaries: 2, noise: 2, image: 2 }),
  faster('check', { small: 1.5, binaries: 1.5, noise: 1.5, image: 1.5 }),
  faster('snapshots', { small: 2.5, binaries: 2.5, noise: 2.5, image: 2.5 }),
  {
    what: 'repository, nacre/restic',
    bounds: { small: 0.9, binaries: 1 },
    value: (nacre, restic) => size(nacre, 'first backup') / size(restic, 'first backup'),
    atMost: true,
  },
  {
    what: 'growth by the edit, nacre/restic',
    bounds: { image: 0.25 },
    value: (nacre, restic) => growth(nacre) / growth(restic),
    atMost: true,
  },
  {
    what: 'peak memory of nacre, MiB',
    bounds: { small: 350, binaries: 350, noise: 350, image: 350 },
    value: (nacre) => Math.max(...Object.values(nacre).map(({ rss }) => rss)) / 2 ** 20,
    atMost: true,
  },
];

function faster(step, bounds) {
  return { what: `${step}, restic/nacre`, bounds, value: (nacre, restic) => restic[step].wall / nacre[step].wall };
}

const size = (steps, step) => steps[step].repository;

/** What the edit of the image added to the repository. */
export const growth = (steps) => size(steps, 'edited backup') - size(steps, 'second backup');

/** For each corpus measured with both nacre and restic: { what, corpus, value, bound, atMost, pass }. */
export function judge(medians) {
  const judged = [];
  for (const { what, bounds, value, atMost = false } of TARGETS) {
    for (const [corpus, bound] of Object.entries(bounds)) {
      const { nacre, restic } = medians[corpus] ?? {};
      if (!nacre || !restic) continue;
      const reached = value(nacre, restic);
      judged.push({ what, corpus, value: reached, bound, atMost, pass: atMost ? reached <= bound : reached >= bound });
    }
  }
  return judged;
}
