/** Runs the built program without holding up this process, which may be serving it. */
import { type Ended, type Place, start } from './nacre.ts'

export function running(at: Place, ...args: string[]): Promise<Ended> {
  const child = start(at, ...args)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (data: Buffer) => (stdout += String(data)))
  child.stderr?.on('data', (data: Buffer) => (stderr += String(data)))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}
