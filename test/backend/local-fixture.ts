/**
 * Local repositories for tests, a look at their files past the backend, and child processes that use
 * the built backend: as racers, and as somebody who is not root, whom permissions bind.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const dist = fileURLToPath(new URL('../../dist', import.meta.url))
const nobody = 65534

export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nacre-local-'))
  try {
    await use(folder)
  } finally {
    // Tests take rights away, and who is not root needs them to clean up.
    spawnSync('chmod', ['-R', 'u+rwX', folder])
    await rm(folder, { recursive: true, force: true })
  }
}

/** All files below a folder, relative, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => !entry.isDirectory())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

export interface Child {
  /** Resolves when the child has opened the repository. */
  ready: Promise<void>
  start(): void
  /** The result of the code, as JSON gives it back. */
  result: Promise<unknown>
}

/**
 * Runs `code` in a process of its own, once started: an async function body that sees `backend`,
 * `localBackend`, `parseKey` and `root`. What it throws comes back as `{ code, message }`.
 */
export function spawnChild(built: string, root: string, code: string, uid?: number): Child {
  const script = `
    const { localBackend } = await import(${JSON.stringify(pathToFileURL(join(built, 'backend/local.js')).href)})
    const { parseKey } = await import(${JSON.stringify(pathToFileURL(join(built, 'backend/layout.js')).href)})
    const root = ${JSON.stringify(root)}
    const told = (error) => ({ code: error.code, message: error.message })
    const opened = await localBackend(root).catch(told)
    console.log('ready')
    await new Promise((resolve) => process.stdin.once('data', resolve))
    const run = async (backend) => { ${code} }
    console.log(JSON.stringify(await run(opened).catch(told)))
    process.exit(0)`
  const user = uid === undefined ? {} : { uid, gid: uid }
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { ...user, cwd: '/' })
  let out = ''
  let problems = ''
  child.stderr.on('data', (data: Buffer) => (problems += String(data)))
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      out += String(data)
      if (out.startsWith('ready\n')) resolve()
    })
  })
  const result = new Promise<unknown>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => {
      const answer = out.split('\n')[1]
      if (status === 0 && answer) resolve(JSON.parse(answer))
      else reject(new Error(`the child ended with ${status}: ${problems}`))
    })
  })
  // A child that fails is never ready; whoever waits for either learns why.
  const readyOrFailed = Promise.race([ready, result.then(() => undefined)])
  for (const promise of [readyOrFailed, result]) promise.catch(() => undefined)
  return { ready: readyOrFailed, start: () => void child.stdin.end('go\n'), result }
}

/** The path of the built files. */
export function built(): string {
  return dist
}

/**
 * Runs the code as a user whom permissions bind: somebody else where this is root, this user else.
 * The folder of the repository and all in it must be readable to that user.
 */
export async function runAsOrdinaryUser(folder: string, root: string, code: string): Promise<unknown> {
  const copy = join(folder, 'built')
  await chmod(folder, 0o755)
  await mkdir(copy, { recursive: true })
  for (const part of ['backend', 'util']) await cp(join(dist, part), join(copy, part), { recursive: true })
  await writeFile(join(copy, 'package.json'), '{"type":"module"}')
  const child = spawnChild(copy, root, code, process.getuid?.() === 0 ? nobody : undefined)
  await child.ready
  child.start()
  return child.result
}

/** Who the ordinary user is, for chown. */
export function ordinaryUser(): number {
  return process.getuid?.() === 0 ? nobody : (process.getuid?.() ?? -1)
}
