/**
 * Writes the manual pages to man/, made of the built commands: what --help prints and what man shows
 * cannot differ.
 *
 * Usage: node scripts/man-pages.mjs     (after scripts/build has compiled dist/)
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { everyCommand } from '../dist/cli/every-command.js'
import { commandPage, programPage } from '../dist/cli/man-page.js'

const man = join(dirname(fileURLToPath(import.meta.url)), '..', 'man')
rmSync(man, { recursive: true, force: true })
mkdirSync(man)
const commands = await everyCommand()
writeFileSync(join(man, 'nacre.1'), programPage(commands))
for (const command of commands) writeFileSync(join(man, `nacre-${command.name}.1`), commandPage(command))
