import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { countReporter } from './support/count-reporter.ts'

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    environment: 'node',
    // What takes many processes at once is left to scripts/torture.
    include: ['test/**/*.test.ts', ...(process.env['NACRE_TORTURE'] === '1' ? ['test/**/*.torture.ts'] : [])],
    globalSetup: ['test/support/services.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // A limit is there for what hangs; on two shared cores a start of the program may take seconds.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', countReporter(process.env['TEST_COUNTS_FILE'])],
  },
})
