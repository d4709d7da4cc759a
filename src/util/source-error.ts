/** A source file is not what it was a moment ago. It has a code as system errors have. */
export class SourceError extends Error {
  readonly code: 'NOT_A_FILE' | 'NO_ROOM'

  constructor(code: SourceError['code'], message: string) {
    super(message)
    this.name = 'SourceError'
    this.code = code
  }
}
