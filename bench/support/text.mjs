// Text that compresses like what people keep: prose, code, JSON and tables over a model of words.
//
// Words follow Zipf's law. Every topic (a folder, say) prefers some words and has identifiers, keys
// and headings of its own, so files of one topic share material and files apart share less, as in a
// real tree. Nothing is copied in blocks: what repeats is words and phrases, not whole chunks.
import { Random } from './random.mjs';

const SYLLABLES = ('ba be ca co da de di do el en er es fa fi ga ge gra ha he in ing ka ke la le li lo ma me mi mo ' +
  'na ne ni no on or pa pe pi po pro ra re ri ro sa se si so sta ta te ti tion to tra tu un ur va ve vi wa we').split(' ');
const VOCABULARY = 40_000;
const TABLE = 1 << 16;

/** A dictionary and a table in which each word stands as often as Zipf's law says. */
function makeWords(seed) {
  const random = new Random(`words ${seed}`);
  const known = new Set();
  while (known.size < VOCABULARY) {
    // Frequent words are short, as in any language.
    const most = known.size < 200 ? 2 : known.size < 4000 ? 3 : 4;
    let word = '';
    for (let n = random.between(1, most); n > 0; n--) word += random.pick(SYLLABLES);
    known.add(word);
  }
  const words = [...known];
  const table = new Array(TABLE);
  let total = 0;
  for (let i = 0; i < VOCABULARY; i++) total += 1 / (i + 3);
  let slot = 0;
  let sum = 0;
  for (let i = 0; i < VOCABULARY; i++) {
    sum += 1 / (i + 3);
    const end = Math.round((sum / total) * TABLE);
    while (slot < end) table[slot++] = words[i];
  }
  while (slot < TABLE) table[slot++] = words[VOCABULARY - 1];
  return table;
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export class TextModel {
  #table;

  constructor(seed) { this.#table = makeWords(seed); }

  word(random) { return this.#table[random.u32() & (TABLE - 1)]; }

  identifier(random) {
    let name = this.word(random);
    for (let n = random.below(3); n > 0; n--) name += capital(this.word(random));
    return name;
  }

  /** What the files of one place have in common. */
  topic(random) {
    const many = (n, make) => Array.from({ length: n }, make);
    return {
      words: many(150, () => this.word(random)),
      phrases: many(40, () => many(random.between(3, 6), () => this.word(random)).join(' ')),
      identifiers: many(50, () => this.identifier(random)),
      keys: many(14, () => this.identifier(random)),
      // The licence or preamble that source files of one program begin with.
      header: many(10, () => `// ${many(9, () => this.word(random)).join(' ')}\n`).join(''),
    };
  }

  /** About `length` bytes (exactly, the last line being cut) of one kind of text. */
  make(kind, topic, random, length) {
    const line = LINES[kind];
    const file = { topic, random, model: this, own: Array.from({ length: 8 }, () => this.identifier(random)), row: 0, depth: 0 };
    let text = kind === 'code' && random.chance(0.6) ? topic.header : '';
    while (text.length < length) text += line(file);
    return Buffer.from(text, 'latin1').subarray(0, length);
  }
}

const anyWord = ({ topic, random, model }) =>
  random.chance(0.35) ? random.pick(topic.words) : model.word(random);

function sentence(file) {
  const { random, topic } = file;
  let text = capital(anyWord(file));
  for (let n = random.between(4, 16); n > 0; n--) {
    text += random.chance(0.1) ? ` ${random.pick(topic.phrases)}` : ` ${anyWord(file)}`;
    if (random.chance(0.06)) text += ',';
  }
  return `${text}.`;
}

const name = ({ topic, random, own }) => random.chance(0.5) ? random.pick(own) : random.pick(topic.identifiers);

const value = (file) => {
  const kind = file.random.below(6);
  if (kind < 3) return name(file);
  if (kind === 3) return String(file.random.below(4096));
  if (kind === 4) return `'${anyWord(file)}'`;
  return `${name(file)}.${name(file)}`;
};

const STATEMENTS = [
  (f) => `const ${name(f)} = ${name(f)}.${name(f)}(${value(f)});`,
  (f) => `const ${name(f)} = await ${name(f)}(${value(f)}, ${value(f)});`,
  (f) => `${name(f)}.${name(f)} = ${value(f)};`,
  (f) => `if (${name(f)} !== ${value(f)}) return ${value(f)};`,
  (f) => `for (const ${name(f)} of ${name(f)}) ${name(f)}(${value(f)});`,
  (f) => `// ${sentence(f)}`,
  (f) => `throw new ${capital(name(f))}Error(\`${anyWord(f)} ${anyWord(f)} ${anyWord(f)}\`);`,
  (f) => `return ${value(f)};`,
];

const LINES = {
  prose(file) {
    const { random } = file;
    if (random.chance(0.08)) return `\n## ${capital(anyWord(file))} ${anyWord(file)}\n\n`;
    let text = '';
    for (let n = random.between(1, 5); n > 0; n--) text += `${sentence(file)} `;
    return `${text}\n`;
  },

  code(file) {
    const { random } = file;
    const roll = random.float();
    if (file.depth === 0 || (roll < 0.08 && file.depth < 4)) {
      file.depth++;
      const head = file.depth === 1 ? `\nexport async function ${name(file)}(${name(file)}, ${name(file)}) {` : `if (${name(file)} === ${value(file)}) {`;
      return `${'  '.repeat(file.depth - 1)}${head}\n`;
    }
    if (roll < 0.2) {
      file.depth--;
      return `${'  '.repeat(file.depth)}}\n`;
    }
    return `${'  '.repeat(file.depth)}${random.pick(STATEMENTS)(file)}\n`;
  },

  json(file) {
    const { random, topic } = file;
    let text = file.row++ === 0 ? '[\n  {' : ',\n  {';
    for (const key of topic.keys) {
      const kind = key.length % 5;
      const what = kind === 0 ? random.below(1_000_000)
        : kind === 1 ? `"${random.pick(topic.words)}"`
        : kind === 2 ? `"${sentence(file)}"`
        : kind === 3 ? random.chance(0.7)
        : `"2${random.between(10, 29)}-0${random.between(1, 9)}-${random.between(10, 28)}"`;
      text += `\n    "${key}": ${what},`;
    }
    return `${text}\n    "id": "${random.u32().toString(16)}${random.u32().toString(16)}"\n  }`;
  },

  table(file) {
    const { random, topic } = file;
    return `${file.row++};${random.pick(topic.words)};${random.between(1000, 9_999_999)};` +
      `${(random.float() * 1000).toFixed(3)};${random.pick(topic.identifiers)};${anyWord(file)} ${anyWord(file)}\n`;
  },
};

export const KINDS = [
  { kind: 'code', share: 0.45, extension: 'js' },
  { kind: 'prose', share: 0.25, extension: 'md' },
  { kind: 'json', share: 0.2, extension: 'json' },
  { kind: 'table', share: 0.1, extension: 'csv' },
];

/** One of KINDS, each as often as its share says. */
export function pickKind(random) {
  let roll = random.float();
  for (const entry of KINDS) {
    roll -= entry.share;
    if (roll < 0) return entry;
  }
  return KINDS[0];
}
