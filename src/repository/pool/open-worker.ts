export function createRole(): (message: unknown) => void {
  return () => undefined
}
