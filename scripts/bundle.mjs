// Puts the command line and its workers into a few files each: Node spends about a millisecond on
// finding, reading and linking every module, and a command needs more than a hundred. The library
// stays as it is, a file for each source file. Packages are not bundled.
import { rolldown } from 'rolldown';

const bundle = await rolldown({
  input: { main: 'dist/cli/main.js', 'worker-entry': 'dist/repository/pool/worker-entry.js' },
  external: (name) => !name.startsWith('.') && !name.startsWith('/'),
  platform: 'node',
  treeshake: { moduleSideEffects: false },
});
// Flat, and as deep in dist/ as the modules were: they find the workers and package.json by relative paths.
await bundle.write({ dir: 'dist/program', format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' });
await bundle.close();
