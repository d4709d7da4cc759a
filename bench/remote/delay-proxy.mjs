// A line with latency: forwards TCP and holds back every byte for so long, each way, without limiting
// how many are under way. Runs as a process of its own, so that it takes no time from whom it serves.
//
//   node delay-proxy.mjs TARGET-PORT LATENCY-MS
//
// Prints its port as the first line, and at each line on its standard input what has passed since the
// last: JSON with connections, requests (of HTTP; by their first lines) and bytes each way.
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

const [targetPort, latencyMs] = process.argv.slice(2).map(Number);
const REQUEST = /^(?:GET|PUT|POST|HEAD|DELETE) \S+ HTTP\/1\.[01]\r\n/;
// More than any line here holds: beyond it the sender is asked to wait.
const HELD_BYTES = 64 * 2 ** 20;

let counts;
const clear = () => (counts = { connections: 0, requests: 0, up: 0, down: 0 });
clear();

const server = createServer({ noDelay: true }, (client) => {
  counts.connections++;
  const target = connect({ host: '127.0.0.1', port: targetPort, noDelay: true });
  delay(client, target, (piece) => {
    counts.up += piece.length;
    if (REQUEST.test(piece.subarray(0, 4096).toString('latin1'))) counts.requests++;
  });
  delay(target, client, (piece) => (counts.down += piece.length));
});

function delay(from, to, seen) {
  let held = 0;
  from.on('data', (piece) => {
    seen(piece);
    held += piece.length;
    if (held > HELD_BYTES) from.pause();
    setTimeout(() => {
      held -= piece.length;
      if (from.isPaused() && held <= HELD_BYTES / 2) from.resume();
      if (!to.destroyed) to.write(piece);
    }, latencyMs);
  });
  from.on('end', () => setTimeout(() => to.end(), latencyMs));
  from.on('error', () => undefined);
  from.on('close', () => setTimeout(() => to.destroy(), latencyMs * 2));
}

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
createInterface({ input: process.stdin })
  .on('line', () => {
    console.log(JSON.stringify(counts));
    clear();
  })
  .on('close', () => process.exit(0));
