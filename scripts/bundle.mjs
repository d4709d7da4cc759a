// Puts the command line and its workers into few files: Node spends about a millisecond on finding,
// reading and linking every module, and a command with the packages under it needs two hundred. The
// library stays as it is, a file for each source file, beside its packages.
import { rolldown } from 'rolldown';

// Packages in JavaScript alone that most commands need. The others bring files of their own, which
// they look for beside themselves (yargs its languages, the native ones their binaries), or serve few.
const BUNDLED = ['@noble/ciphers', '@noble/hashes', 'abstract-level', 'cborg', 'classic-level', 'ignore', 'level', 'level-supports', 'level-transcoder', 'maybe-combine-errors', 'module-error'];
const LEVEL_BINARY = 'leveldb-binary';
const bundled = new RegExp(`^(${[...BUNDLED, LEVEL_BINARY].join('|')})(/|$)`);

const LOAD_BINARY = `
import { createRequire } from 'node:module';
const ofLevel = createRequire(createRequire(import.meta.url).resolve('level'));
export const binary = createRequire(ofLevel.resolve('classic-level'))('./binding.js');
`;

const bundle = await rolldown({
  input: { main: 'dist/cli/main.js', 'worker-entry': 'dist/repository/pool/worker-entry.js' },
  external: (name) => !name.startsWith('.') && !name.startsWith('/') && !bundled.test(name),
  platform: 'node',
  treeshake: { moduleSideEffects: false },
  plugins: [levelFromItsPlace()],
});
await bundle.write({
  // Flat, and as deep in dist/ as the modules were: they find the workers and package.json by relative paths.
  dir: 'dist/program',
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
  // What many commands need is one file, whatever else each needs.
  codeSplitting: { groups: [{ name: 'common', minShareCount: 12 }] },
});
await bundle.close();

/** LevelDB's binary is asked for from where the package is: not every installation puts it where the program would find it. */
function levelFromItsPlace() {
  const virtual = `\0${LEVEL_BINARY}`;
  return {
    name: LEVEL_BINARY,
    transform: (code, id) => (id.includes('/classic-level/') ? code.replace("require('./binding')", `require('${LEVEL_BINARY}').binary`) : undefined),
    resolveId: (id) => (id === LEVEL_BINARY ? virtual : undefined),
    load: (id) => (id === virtual ? LOAD_BINARY : undefined),
  };
}
