// The proxy as a child, with questions to it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROXY = fileURLToPath(new URL('delay-proxy.mjs', import.meta.url));

export async function openLine(targetPort, latencyMs) {
  const child = spawn(process.execPath, [PROXY, String(targetPort), String(latencyMs)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const answers = lines[Symbol.asyncIterator]();
  const port = Number((await answers.next()).value);
  return {
    port,
    /** What has passed since the last call. */
    async passed() {
      child.stdin.write('\n');
      return JSON.parse((await answers.next()).value);
    },
    async close() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}
