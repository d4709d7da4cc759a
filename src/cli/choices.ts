/** What may be written where a usage or an option names words to choose from. */

/** `tar|zip` is two words to choose from; `FILE` and `N` are none. */
export function choicesOf(value: string | undefined): readonly string[] {
  return value !== undefined && /^[a-z0-9%][a-z0-9%-]*(\|[a-z0-9%][a-z0-9%-]*)+$/.test(value) ? value.split('|') : []
}
