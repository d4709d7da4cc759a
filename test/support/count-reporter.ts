/**
 * Writes what became of every test to a file, for the last line of scripts/test. The line is not
 * printed here because vitest prints after its reporters, and a process that dies prints nothing.
 */

import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

export interface TestCounts {
  passed: number
  /** Failed tests, files that could not be loaded, and errors outside any test. */
  failed: number
  skipped: number
  /** The full names of the skipped ones. */
  skippedNames: string[]
}

export function countReporter(file: string | undefined): Reporter {
  return {
    onTestRunEnd(modules, unhandledErrors) {
      if (file === undefined) return
      const counts: TestCounts = { passed: 0, failed: unhandledErrors.length, skipped: 0, skippedNames: [] }
      for (const module of modules) countModule(module, counts)
      writeFileSync(file, JSON.stringify(counts))
    },
  }
}

function countModule(module: TestModule, counts: TestCounts): void {
  const failedBefore = counts.failed
  for (const test of module.children.allTests()) {
    const { state } = test.result()
    if (state === 'passed') counts.passed++
    else if (state === 'skipped') {
      counts.skipped++
      counts.skippedNames.push(`${module.relativeModuleId}: ${test.fullName}`)
    } else counts.failed++ // a test that never finished is not a passed one
  }
  // A file that cannot be loaded, or a hook that throws, fails without any failed test.
  if (counts.failed === failedBefore && module.state() === 'failed') counts.failed++
}
