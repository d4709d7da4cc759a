/** What retention looks at; every `Snapshot` is one. */
export interface RetentionSubject {
  readonly id: string
  readonly startNs: bigint
  readonly zoneMinutes: number
  readonly host: string
  readonly label: string
  readonly paths: readonly Uint8Array[]
  readonly tags: readonly string[]
  /** For ever, or until a time. */
  readonly pin?: 'forever' | bigint | undefined
}
