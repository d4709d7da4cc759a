/** What a role is: a module that turns messages into messages, in a thread or on the caller's. */

export type Transfer = readonly ArrayBuffer[]
export type Post<Out> = (message: Out, transfer?: Transfer) => void
/** Handles one message, synchronously. */
export interface Role<In> {
  (message: In): void
  /** Gives back what a thread would take with it when it ends. */
  readonly close?: () => void
}
export type RoleName = 'store' | 'open'
