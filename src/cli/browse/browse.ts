/**
 * Keeps screen, model and repository together: keys and what was read go into the model, frames and
 * requests come out. However it ends, the terminal is as it was before anything more is said.
 */
import { BackupError, isBackupError } from '../../index.ts'
import { display } from '../display.ts'
import { frameOf } from './frame.ts'
import type { Message, Model, Request } from './model.ts'
import { perform, type Performer } from './perform.ts'
import { openScreen } from './screen.ts'
import { completed, update } from './update.ts'

export { beginning, filterWords, programWords } from './beginning.ts'

export interface BrowseOptions {
  readonly performer: Performer
  /** The model in a window of that size, as it is at first. */
  readonly begin: (size: Model['size']) => Model
  readonly signal: AbortSignal
  /** Takes what is said besides, as long as the screen is there; gives back how to end that. */
  readonly divert: (to: (text: string) => void) => () => void
}

/** @throws what is no trouble of the repository or of a target; INTERRUPTED when it is told to end */
export async function browse({ performer, begin, signal, divert }: BrowseOptions): Promise<'quit' | 'interrupted'> {
  let end!: (how: 'quit' | 'interrupted') => void
  let fail!: (error: unknown) => void
  const ended = new Promise<'quit' | 'interrupted'>((resolve, reject) => {
    end = resolve
    fail = reject
  })
  const stop = new AbortController()
  let under: { readonly id: number; readonly controller: AbortController } | undefined
  /** Ends when no restore writes any more: two never write at the same time. */
  let writing: Promise<void> = Promise.resolve()

  const send = (message: Message): void => {
    try {
      follow(update(model, message))
    } catch (error) {
      fail(error)
    }
  }
  const follow = ({ model: next, request }: ReturnType<typeof update>): void => {
    model = next
    if (under !== undefined && under.id !== model.work?.id) under.controller.abort(new BackupError('INTERRUPTED', 'stopped'))
    if (request !== undefined && model.work !== undefined) start(model.work.id, request)
    if (model.end !== undefined) end(model.end)
    else screen.draw(frameOf(model))
  }
  const start = (id: number, request: Request): void => {
    const controller = new AbortController()
    const before = writing
    const run = async (): Promise<void> => {
      try {
        if (request.kind === 'restore') await before
        const result = await perform(performer, request, AbortSignal.any([controller.signal, stop.signal]), (text) => send({ kind: 'progress', work: id, text }))
        send({ kind: 'done', work: id, result })
      } catch (error) {
        if (controller.signal.aborted || stop.signal.aborted) return
        if (isBackupError(error)) send({ kind: 'failed', work: id, message: display(error.message) })
        else fail(error)
      }
    }
    under = { id, controller }
    const over = run()
    if (request.kind === 'restore') writing = over
  }

  const screen = openScreen({
    onKey: (key) => {
      if (key.name === 'ctrl-l') screen.forget()
      send({ kind: 'key', key })
    },
    onResize: (size) => send({ kind: 'resize', size }),
    onGone: () => end('interrupted'),
  })
  let model = begin(screen.size())
  const giveBack = divert((text) => send({ kind: 'notice', text: display(text.replace(/^nacre: /, '')) }))
  const onSignal = (): void => fail(signal.reason as Error)
  signal.addEventListener('abort', onSignal, { once: true })
  if (signal.aborted) onSignal()
  try {
    follow(completed(model))
    return await ended
  } finally {
    signal.removeEventListener('abort', onSignal)
    giveBack()
    screen.close()
    stop.abort(new BackupError('INTERRUPTED', 'stopped'))
    await writing
  }
}
