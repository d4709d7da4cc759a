// Many small files: 70,000 in some 5,700 folders, about 620 MB, sizes log-normal with a
// median near 3 KB, two in a hundred of them a copy of an earlier one.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../../support/random.mjs';
import { TextModel, pickKind } from '../../support/text.mjs';

const FILES = 70_000;
const BYTES = 620e6;
const FILES_A_FOLDER = 24;
const FOLDERS_A_PROJECT = 60;
const COPIES = 0.02;
const KEPT_FOR_COPIES = 500;
const MOST = 1 << 20;
// Median 3 KB and mean 8.9 KB fix the spread of a log-normal: sigma = sqrt(2 ln(mean / median)).
const MEDIAN = 3072;
const SIGMA = Math.sqrt(2 * Math.log(BYTES / FILES / MEDIAN));

export function makeSmall(folder, { seed, scale }) {
  const random = new Random(`small ${seed}`);
  const model = new TextModel(seed);
  const files = Math.max(10, Math.round(FILES * scale));
  const earlier = []; // a rolling choice of what was written, to copy from
  let place;
  let topic;
  for (let i = 0; i < files; i++) {
    if (i % FILES_A_FOLDER === 0) {
      const number = i / FILES_A_FOLDER;
      const project = Math.floor(number / FOLDERS_A_PROJECT);
      place = join(folder, `project-${project}`, ...folderNames(model, random), String(number));
      mkdirSync(place, { recursive: true });
      // Neighbouring folders share a topic now and then, as the modules of one program do.
      if (topic === undefined || random.chance(0.5)) topic = model.topic(random);
    }
    const { kind, extension } = pickKind(random);
    const path = join(place, `${model.identifier(random)}-${i}.${extension}`);
    if (earlier.length > 0 && random.chance(COPIES)) {
      writeFileSync(path, random.pick(earlier));
      continue;
    }
    const length = Math.min(MOST, Math.max(1, Math.round(MEDIAN * Math.exp(SIGMA * random.normal()))));
    const bytes = model.make(kind, topic, random, length);
    writeFileSync(path, bytes);
    if (earlier.length < KEPT_FOR_COPIES) earlier.push(bytes);
    else earlier[random.below(KEPT_FOR_COPIES)] = bytes;
  }
}

const folderNames = (model, random) =>
  Array.from({ length: random.between(0, 2) }, () => model.word(random));
