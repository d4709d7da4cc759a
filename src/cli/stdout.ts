/**
 * Whoever reads our results may stop reading: that ends a list, quietly, and leaves a backup alone.
 * Results that cannot be written for another reason are an error at the end.
 */
const state = { isOutlived: false, hasFailed: false }

export function watchStdout(): void {
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      if (!state.isOutlived) process.exit(0)
    } else if (!state.hasFailed) {
      state.hasFailed = true
      process.stderr.write(`nacre: the results cannot be written: ${error.message}\n`)
      if (!state.isOutlived) process.exit(1)
    }
  })
}

/** From now on the work goes on without a reader. */
export function outliveReader(): void {
  state.isOutlived = true
}

export function hasStdoutFailed(): boolean {
  return state.hasFailed
}
