/** The roles by name, each loaded only by the worker that plays it. */
import type { Post, Role, RoleName } from './role.ts'

export async function createRole<In, Out>(name: RoleName, init: unknown, post: Post<Out>): Promise<Role<In>> {
  const module: { createRole: (init: never, post: never) => unknown } = await MODULES[name]()
  return module.createRole(init as never, post as never) as Role<In>
}

const MODULES = {
  store: () => import('./store-worker.ts'),
  open: () => import('./open-worker.ts'),
} satisfies Record<RoleName, () => Promise<unknown>>
