/** What a test run starts at most once, and takes down in the end however it went: see s3-service.ts. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'nacre-s3-'))
  project.provide('s3Folder', folder)
  project.provide('runPid', process.pid)
  return () => {
    const ceph = join(folder, 'ceph')
    if (existsSync(ceph)) spawnSync(join(import.meta.dirname, 'ceph-one-node.sh'), ['stop', ceph], { timeout: 30_000 })
    rmSync(folder, { recursive: true, force: true })
  }
}
