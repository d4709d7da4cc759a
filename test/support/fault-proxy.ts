/**
 * A proxy between the program and a real S3 service that spoils what a test asks it to spoil, request
 * by request, and counts. It forwards the host's name as it came: that is part of the signature.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SeenRequest {
  readonly method: string
  /** With its query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** From 1. */
  readonly number: number
}

/**
 * `reset`: cut before anything reaches the service. `lose reply`: done, and cut before the answer.
 * `truncate`: half of the answer's body, then cut. `{ status }`: answered by the proxy itself.
 * `stall`: nothing is answered. `stall halfway`: half of the answer's body, and no more.
 * `{ pretend }`: the request's body is thrown away, and thanked for. `{ then }`: done, then called, then
 * answered.
 */
export type Fault = 'reset' | 'lose reply' | 'truncate' | 'stall' | 'stall halfway' | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> } | { readonly pretend: true } | { readonly then: () => Promise<void> }

export interface FaultProxy extends AsyncDisposable {
  readonly endpoint: string
  readonly requests: readonly SeenRequest[]
  /** How many were spoiled. */
  readonly spoiled: () => number
}

export interface FaultProxyOptions {
  readonly targetPort: number
  readonly latencyMs?: number
  readonly decide?: (seen: SeenRequest) => Fault | undefined
}

export async function faultProxy({ targetPort, latencyMs = 0, decide }: FaultProxyOptions): Promise<FaultProxy> {
  const requests: SeenRequest[] = []
  let spoiled = 0
  const server = createServer((incoming, answer) => {
    const seen = { method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers, number: requests.length + 1 }
    requests.push(seen)
    const fault = decide?.(seen)
    if (fault !== undefined) spoiled++
    incoming.on('error', () => undefined)
    answer.on('error', () => undefined)
    const act = (): void => serve(incoming, answer, targetPort, fault, latencyMs)
    if (latencyMs === 0) act()
    else setTimeout(act, latencyMs)
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spoiled: () => spoiled,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function serve(incoming: IncomingMessage, answer: ServerResponse, port: number, fault: Fault | undefined, latencyMs: number): void {
  if (fault === 'reset') return void incoming.socket.resetAndDestroy()
  if (fault === 'stall') return void incoming.resume()
  if (typeof fault === 'object' && ('status' in fault || 'pretend' in fault)) {
    incoming.resume()
    incoming.on('end', () => {
      if ('pretend' in fault) answer.writeHead(200, { etag: '"0"' }).end()
      else answer.writeHead(fault.status, { 'content-type': 'application/xml', ...fault.headers }).end(fault.body ?? '')
    })
    return
  }
  const onward = request({ host: '127.0.0.1', port, method: incoming.method, path: incoming.url, headers: incoming.headers }, (response) => {
    if (fault === 'lose reply') {
      response.resume()
      return void response.on('end', () => incoming.socket.resetAndDestroy())
    }
    const pass = (): void => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      if (fault !== 'truncate' && fault !== 'stall halfway') return void response.pipe(answer)
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => {
        const whole = Buffer.concat(pieces)
        // Of nothing there is no half to wait for.
        if (whole.length < 2) return void incoming.socket.destroy()
        answer.write(whole.subarray(0, whole.length >> 1), () => fault === 'truncate' && incoming.socket.destroy())
      })
    }
    const then = typeof fault === 'object' && 'then' in fault ? fault.then() : Promise.resolve()
    void then.then(() => (latencyMs === 0 ? pass() : void setTimeout(pass, latencyMs)))
  })
  onward.on('error', () => incoming.socket.destroy())
  incoming.on('close', () => !incoming.complete && onward.destroy())
  incoming.pipe(onward)
}
