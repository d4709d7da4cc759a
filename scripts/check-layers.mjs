/**
 * Keeps the floors of src/ apart: who may import whom, which package belongs where, which globals
 * are whose, how long a file may be. Everything is a row of the tables below; each row says why.
 * The files are read with the compiler's own parser, so comments and strings are never mistaken.
 *
 * Usage: node scripts/check-layers.mjs [ROOT]     (ROOT holds src/ and package.json)
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** A folder of src/ and its floor: it imports from lower floors and from itself, nothing else. */
const FLOORS = { util: 0, crypto: 1, chunker: 1, codec: 1, fuse: 1, backend: 2, repository: 3, snapshot: 4, features: 5, cli: 6 }

/** Modules that belong to certain places: [specifier, allowed below src/, why]. */
const MODULE_FENCES = [
  [/^node:crypto$/, /^(crypto|util)\//, 'cryptography lives in src/crypto; util may compare and draw random bytes'],
  [/^@noble\/|^@napi-rs\/blake-hash$|^@node-rs\/argon2$/, /^crypto\//, 'cryptography lives in src/crypto, so that it can be read in one place'],
  [/^fastcdc-wasm$/, /^chunker\//, 'only src/chunker knows how chunks are cut'],
  [/^(zstd-napi|cborg)(\/|$)/, /^codec\//, 'only src/codec knows the encodings'],
  [/^node:worker_threads$/, /^repository\//, 'threads exist in the worker pool only; all else runs on one thread'],
  [/^koffi$/, /^util\/posix\//, 'foreign calls stay behind src/util/posix, which has a fallback without them'],
  [/^(level|classic-level|abstract-level)$/, /^repository\/catalogue/, 'the catalogue is the only database and may be deleted at any time'],
  [/^yargs(\/|$)/, /^cli\//, 'only the command line parses arguments'],
  [/^(node:)?(console|process)$/, /^cli\//, 'the library neither prints nor exits; use the global process for the rest'],
  [
    /^node:fs(\/promises)?$/,
    /^(util\/posix\/|util\/[^/]*-file\.ts$|backend\/|repository\/catalogue|repository\/pool\/|repository\/[^/]*worker|snapshot\/|cli\/)/,
    'files are touched by backends, the catalogue, the source and target side, and util/*-file.ts only',
  ],
]

/** Uses of globals that belong to certain places: [what (calls without arguments end in "()"), allowed, why]. */
const GLOBAL_FENCES = [
  [/^console\./, /^cli\//, 'the library returns data; one place prints'],
  [/^process\.(stdout|stderr|exit|argv)$/, /^cli\//, 'the library returns data and throws; only the command line prints, exits and reads arguments'],
  [/^(Date\.now|new Date\(\)|Date\(\))$/, /^util\/clock\.ts$/, 'wall time comes from the clock of src/util/clock.ts, so that tests can set it'],
]

/** [files, most lines, why]; the first row that matches counts. */
const LENGTHS = [
  [/^cli\/commands\//, 160, 'a command is options, one library call and a rendering; the rest belongs in the library'],
  [/./, 300, 'a longer file does more than one thing: split it'],
]

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'))
const src = join(root, 'src')
const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const violations = []
const imports = new Map() // file → [{ line, to }], own files only
let checked = 0

const files = readdirSync(src, { recursive: true }).map(String).filter((name) => name.endsWith('.ts')).sort()
for (const file of files) checkFile(file)
checkCycles()

for (const { file, line, what, why } of violations) console.log(`src/${file}:${line}: ${what} — ${why}`)
if (violations.length > 0) {
  console.error(`layers: ${violations.length} violations in ${files.length} files`)
  process.exitCode = 1
} else {
  console.log(`layers: ${files.length} files, ${checked} imports, no violations`)
}

function checkFile(file) {
  const text = readFileSync(join(src, file), 'utf8')
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const lineOf = (node) => tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
  const fence = (table, what, found, node) => {
    for (const [pattern, allowed, why] of table) if (pattern.test(found) && !allowed.test(file)) report(file, lineOf(node), what, why)
  }
  imports.set(file, [])

  const lines = text.replace(/\n$/, '').split('\n').length
  const [, most, tooLong] = LENGTHS.find(([pattern]) => pattern.test(file))
  if (lines > most) report(file, most + 1, `${lines} lines, ${most} allowed`, tooLong)
  if (file !== 'index.ts' && floorOf(file) === undefined) report(file, 1, 'stands on no floor', `known are ${Object.keys(FLOORS).join(', ')} and src/index.ts`)
  if (file === 'index.ts') {
    for (const statement of tree.statements) {
      if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) report(file, lineOf(statement), 'is not a re-export', 'src/index.ts only says what is public')
    }
  }

  const visit = (node) => {
    const specifier = specifierOf(node)
    if (specifier !== undefined) {
      checked++
      fence(MODULE_FENCES, `imports '${specifier}'`, specifier, node)
      if (specifier.startsWith('.')) checkOwn(file, lineOf(node), specifier)
      else checkPackage(file, lineOf(node), specifier)
    }
    const use = useOf(node)
    if (use !== undefined) fence(GLOBAL_FENCES, `uses ${use}`, use, node)
    ts.forEachChild(node, visit)
  }
  visit(tree)
}

/** The module that a node names: static, re-exported, dynamic, required and type imports alike. */
function specifierOf(node) {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier?.text
  if (ts.isImportTypeNode(node)) return node.argument.literal?.text
  if (ts.isCallExpression(node) && ['import', 'require'].includes(node.expression.getText())) return node.arguments[0]?.text
  return undefined
}

/** The use of a global that the table may name, as it is written there. */
function useOf(node) {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) return `${node.expression.text}.${node.name.text}`
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && !node.arguments?.length) return `new ${node.expression.text}()`
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.arguments.length === 0) return `${node.expression.text}()`
  return undefined
}

function checkOwn(file, line, specifier) {
  const to = relative(src, resolve(src, dirname(file), specifier))
  const what = `imports '${specifier}'`
  if (!to.endsWith('.ts') || !existsSync(join(src, to)) || to.startsWith('..')) {
    report(file, line, what, 'own files are named with their .ts ending and lie below src/')
    return
  }
  imports.get(file).push({ line, to })
  const [from, target] = [file.split('/')[0], to.split('/')[0]]
  if (file === 'index.ts' || from === target) return
  if (from === 'cli') {
    if (to !== 'index.ts') report(file, line, what, 'src/cli uses only src/index.ts, which proves the library complete: export there what it lacks')
  } else if (to === 'index.ts') {
    report(file, line, what, 'src/index.ts is the door for users; inside, import the file itself')
  } else if (floorOf(file) === floorOf(to)) {
    report(file, line, what, `${from} and ${target} are siblings on floor ${floorOf(file)} and blind to each other`)
  } else if (floorOf(file) < floorOf(to)) {
    report(file, line, what, `${from} is floor ${floorOf(file)}, ${target} is floor ${floorOf(to)}: import downwards only, or pass it in`)
  }
}

function checkPackage(file, line, specifier) {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  if (specifier.startsWith('node:')) return
  if (builtinModules.includes(name)) report(file, line, `imports '${specifier}'`, 'modules of Node are written with node:')
  else if (!(name in dependencies) && !(name in optionalDependencies)) report(file, line, `imports '${specifier}'`, 'it is not among the dependencies of package.json')
}

/** Reports each cycle once, by its shortest way round; type imports count, for readers go in circles too. */
function checkCycles() {
  const inCycle = new Set()
  for (const file of files) {
    if (inCycle.has(file)) continue
    const way = wayBack(file)
    if (way === undefined) continue
    for (const step of way) inCycle.add(step)
    const line = imports.get(file).find(({ to }) => to === way[1])?.line ?? 1
    report(file, line, `cycle ${way.join(' → ')}`, 'files that need each other are one thing or lack a third; type imports count')
  }
}

/** Breadth first from a file back to itself. */
function wayBack(start) {
  const queue = [[start]]
  const seen = new Set()
  for (const way of queue) {
    for (const { to } of imports.get(way.at(-1)) ?? []) {
      if (to === start) return [...way, start]
      if (!seen.has(to)) queue.push([...way, to])
      seen.add(to)
    }
  }
  return undefined
}

function floorOf(file) {
  return FLOORS[file.includes('/') ? file.split('/')[0] : '']
}

function report(file, line, what, why) {
  violations.push({ file, line, what, why })
}
