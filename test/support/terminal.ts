/** A real terminal: a tmux of the test's own, whose screen is read and whose keys are pressed. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { type Place, PROGRAM } from './nacre.ts'

/** Only where something hangs. */
const LIMIT_MS = 60_000
const LOOK_MS = 30

export const hasTmux = spawnSync('tmux', ['-V']).status === 0

export interface Terminal {
  /** Names as tmux has them: `Enter`, `Down`, `C-c`. */
  keys(...names: string[]): void
  type(text: string): void
  screen(): string
  /** Waits until the screen shows it; gives the screen. */
  sees(what: string | RegExp): Promise<string>
  /** Waits for what is no matter of the screen. */
  until(what: () => boolean, told: string): Promise<void>
  resize(columns: number, rows: number): void
  /** Of the program, while it runs. */
  pid(): number
  /** What tmux knows of the terminal, such as `alternate_on`. */
  format(name: string): string
}

export interface TerminalOptions {
  readonly columns?: number
  readonly rows?: number
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** Runs the program in it. Behind it a shell tells the exit code as `ended N`, and whether lines are edited by the terminal again. */
export function terminalOf(at: Place, args: readonly string[], { columns = 100, rows = 24, environment = {} }: TerminalOptions = {}): Terminal {
  const folder = mkdtempSync(join(tmpdir(), 'nacre-tmux-'))
  const env = { ...at.environment, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8', PS1: '', ...environment }
  const tmux = (...words: string[]): string => {
    const { status, stdout, stderr } = spawnSync('tmux', ['-u', '-S', join(folder, 's'), '-f', '/dev/null', ...words], { env: env as NodeJS.ProcessEnv, encoding: 'utf8' })
    if (status !== 0) throw new Error(`tmux ${words[0]}: ${stderr}`)
    return stdout
  }
  onTestFinished(() => {
    spawnSync('tmux', ['-S', join(folder, 's'), 'kill-server'])
    rmSync(folder, { recursive: true, force: true })
  })
  const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word.replaceAll('\'', '\'\\\'\'')}'`).join(' ')
  tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), '-c', at.folder, '-s', 't', `echo before; ${command}; echo "ended $?"; stty -a | grep -o '.icanon'; exec cat`)
  const screen = (): string => tmux('capture-pane', '-p', '-t', 't')
  const until = async (what: () => boolean, told: string): Promise<void> => {
    for (const end = performance.now() + LIMIT_MS; !what(); await pause(LOOK_MS)) {
      if (performance.now() > end) throw new Error(`${told} never came; the screen shows\n${screen()}`)
    }
  }
  return {
    screen,
    until,
    keys: (...names) => void tmux('send-keys', '-t', 't', ...names),
    type: (text) => void tmux('send-keys', '-t', 't', '-l', text),
    async sees(what) {
      const isThere = (): boolean => (typeof what === 'string' ? screen().includes(what) : what.test(screen()))
      await until(isThere, String(what))
      return screen()
    },
    resize: (width, height) => void tmux('resize-window', '-t', 't', '-x', String(width), '-y', String(height)),
    pid() {
      const shell = tmux('display-message', '-p', '-t', 't', '#{pane_pid}').trim()
      return Number(spawnSync('ps', ['-o', 'pid=', '--ppid', shell], { encoding: 'utf8' }).stdout.trim().split('\n')[0])
    },
    format: (name) => tmux('display-message', '-p', '-t', 't', `#{${name}}`).trim(),
  }
}
