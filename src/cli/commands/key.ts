import { addKey, BackupError, changePassword, formatTime, listKeys, removeKey } from '../../index.ts'
import type { Command, Context } from '../command.ts'
import { display } from '../display.ts'
import { table } from '../format.ts'
import { localTime } from '../local-time.ts'
import { readPassword } from '../password.ts'
import { person } from '../person.ts'
import { EXIT } from '../exit-codes.ts'
import { suggestion } from '../suggest.ts'

export const command: Command = {
  usage: 'key list|add|remove ID|passwd',
  summary: 'Lists, adds, removes and changes passwords. Every password opens everything.',
  example: ['-r /backup/repo key add --new-password-file new.txt', 'add a second password'],
  options: {
    'new-password-file': { kind: 'text', value: 'FILE', describe: 'read the new password from a file that only you can read' },
    'new-password-command': { kind: 'text', value: 'COMMAND', describe: 'run a command that prints the new password' },
  },
  positionals: [1, 2],
  async run(context) {
    const [action = '', id] = context.args.positionals
    const actions: Record<string, () => Promise<number>> = {
      list: () => list(context),
      add: () => add(context),
      remove: () => remove(context, id),
      passwd: () => change(context),
    }
    const chosen = Object.hasOwn(actions, action) ? actions[action] : undefined
    if (chosen === undefined) throw new BackupError('INVALID_ARGUMENT', `key has no "${action}"${suggestion(action, Object.keys(actions), 'key ')}\nusage: nacre ${this.usage}`)
    if (id !== undefined && action !== 'remove') throw new BackupError('INVALID_ARGUMENT', `"${id}" is one argument too many\nusage: nacre ${this.usage}`)
    return chosen()
  },
}

async function list({ output, openRepository }: Context): Promise<number> {
  const { keys, problems } = await listKeys(await openRepository())
  for (const problem of problems) output.warn(`nacre: ${display(problem)}`)
  if (output.isJson) {
    output.json(keys.map((key) => ({ id: key.id, role: key.role, user: key.user, host: key.host, created: formatTime(key.createdNs, 0), current: key.isCurrent })))
  } else {
    output.result(table(['', 'id', 'role', 'user', 'host', 'created'], keys.map((key) => [key.isCurrent ? '*' : ' ', key.id.slice(0, 16), key.role, display(key.user), display(key.host), localTime(key.createdNs)])))
  }
  return problems.length > 0 ? EXIT.failed : EXIT.done
}

function newPassword({ args, signal }: Context): Promise<Uint8Array> {
  const file = args.text('new-password-file')
  const command = args.text('new-password-command')
  if (file === undefined && command === undefined) return readNewAtTerminal(signal)
  return readPassword({ file, command, fd: undefined }, { isNew: true, signal, what: 'new password' })
}

async function readNewAtTerminal(signal: AbortSignal): Promise<Uint8Array> {
  const { askHidden } = await import('../prompt.ts')
  const first = await askHidden('new password: ', signal)
  if (first === undefined) throw new BackupError('INVALID_ARGUMENT', 'no new password: give --new-password-file or --new-password-command, or run it at a terminal')
  if (first.length > 0 && (await askHidden('new password, again: ', signal)) !== first) throw new BackupError('PASSWORD_REFUSED', 'the two passwords differ')
  return Buffer.from(first)
}

async function add(context: Context): Promise<number> {
  const repository = await context.openRepository()
  const id = await addKey(repository, await context.password(), await newPassword(context), person())
  if (context.output.isJson) context.output.json({ type: 'summary', added: id })
  else context.output.result(`added key ${id.slice(0, 16)}`)
  return 0
}

async function remove(context: Context, id: string | undefined): Promise<number> {
  if (id === undefined) throw new BackupError('INVALID_ARGUMENT', 'which key? "nacre key list" lists them')
  const removed = await removeKey(await context.openRepository(), id)
  if (context.output.isJson) context.output.json({ type: 'summary', removed })
  else context.output.result(`removed key ${removed.slice(0, 16)}`)
  return 0
}

async function change(context: Context): Promise<number> {
  const repository = await context.openRepository()
  const { added, removed } = await changePassword(repository, await context.password(), await newPassword(context), person())
  if (context.output.isJson) context.output.json({ type: 'summary', added, removed })
  else context.output.result(`the password is changed: key ${added.slice(0, 16)} for ${removed.slice(0, 16)}`)
  return 0
}
