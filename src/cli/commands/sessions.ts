import { BackupError, fenceByHand, type FoundSession, listSessions } from '../../index.ts'
import type { Command, Context } from '../command.ts'
import { display } from '../display.ts'
import { localTime } from '../local-time.ts'
import { suggestion } from '../suggest.ts'
import { count, table } from '../format.ts'
import { sessionJson, stateOf } from '../session-json.ts'

export const command: Command = {
  usage: 'sessions [fence ID]',
  summary: 'Lists the sessions that are open: backups and prunes at work, and those that died. To fence one decides that it never commits; a backup that is still alive then begins again by itself.',
  example: ['-r /backup/repo sessions fence 3fa9', 'end a session that will not come back'],
  options: {},
  positionals: [0, 2],
  async run(context) {
    const [action, id] = context.args.positionals
    if (action === undefined) return list(context)
    if (action !== 'fence') throw new BackupError('INVALID_ARGUMENT', `sessions has no "${action}"${suggestion(action, ['fence'], 'sessions ')}\nusage: nacre ${this.usage}`)
    if (id === undefined) throw new BackupError('INVALID_ARGUMENT', 'which session? "nacre sessions" lists them')
    return fence(context, id)
  },
}

async function list({ output, signal, openRepository }: Context): Promise<number> {
  const sessions = await listSessions(await openRepository(), signal)
  for (const { name, problem } of sessions) if (problem !== undefined) output.warn(`nacre: sessions/${name} cannot be read: ${display(problem)}`)
  if (output.isJson) output.json(sessions.map(sessionJson))
  else if (sessions.length === 0) output.info('no session is open')
  else {
    output.result(table(['id', 'since', 'host', 'user', 'kind', 'state'], sessions.map(row)))
    output.info(count(sessions.length, 'session'))
  }
  return 0
}

function row(session: FoundSession): string[] {
  const { info } = session
  return [session.sid.slice(0, 16), info === undefined ? '' : localTime(info.startedNs), display(info?.host ?? ''), display(info?.user ?? ''), display(info?.kind ?? ''), stateOf(session)]
}

async function fence({ output, signal, openRepository }: Context, id: string): Promise<number> {
  const { session, outcome } = await fenceByHand(await openRepository(), id, signal)
  if (output.isJson) output.json({ type: 'summary', session: session.sid, outcome: outcome === 'fenced' ? 'fenced' : 'decided_before' })
  else output.result(outcome === 'fenced' ? `fenced session ${session.sid.slice(0, 16)}: it never commits` : `session ${session.sid.slice(0, 16)} had ended before; its leftover was removed`)
  return 0
}
