// The npm package `ws` as an interop peer: `client --url URL` checks a server, `server --port N` echoes for
// a client. The command line and the checks are those of run.py's docstring.
import { Buffer } from 'node:buffer';
import process from 'node:process';
import { WebSocket, WebSocketServer } from 'ws';

const sizes = [0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20];
const closes = [[1000, 'done'], [1001, 'leaving \u2713'], [3000, 'registered'], [4999, 'p'.repeat(123)]];
const stepMs = 60_000; // a machine under load echoes 16 MiB in seconds; this only bounds a hang
const payloadBytesMax = 64 << 20;

const args = process.argv.slice(2);
const has = (flag) => args.includes(flag);
const value = (flag) => args[args.indexOf(flag) + 1];
// Left out rather than false with takeover: false makes the library refuse the other side's wish, unseen.
const reset = has('--takeover') ? {} : { serverNoContextTakeover: true, clientNoContextTakeover: true };
const deflate = has('--deflate') && { threshold: 0, ...reset };

let faults = 0;
function report(name, fault) {
  if (fault) faults += 1;
  console.log(fault ? `FAIL ${name}: ${fault}` : `ok ${name}`);
}

// Exactly `size` bytes of UTF-8 with sequences of one to four bytes.
function textOf(size) {
  const unit = Buffer.from('sinnet \u00e9 \u2713 \u{1d11e} ');
  const whole = Math.floor(size / unit.length);
  return Buffer.concat([...Array(whole).fill(unit), Buffer.alloc(size - whole * unit.length, 'x')]);
}

// Bytes that neither repeat soon nor form UTF-8.
function binaryOf(size) {
  const out = Buffer.allocUnsafe(size);
  let state = 0x9e3779b9 ^ size;
  for (let i = 0; i < size; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

function within(what, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} took longer than ${stepMs} ms`)), stepMs);
    const end = (settle) => (result) => { clearTimeout(timer); settle(result); };
    start(end(resolve), end(reject));
  });
}

function connect() {
  return within('the handshake', (resolve, reject) => {
    const socket = new WebSocket(value('--url'), { perMessageDeflate: deflate, maxPayload: payloadBytesMax });
    let extensions = '';
    socket.on('upgrade', (response) => { extensions = response.headers['sec-websocket-extensions'] ?? ''; });
    socket.on('open', () => resolve({ socket, extensions }));
    socket.on('error', reject);
  });
}

function nextMessage(socket) {
  return within('the echo', (resolve, reject) => {
    const closed = (code) => reject(new Error(`closed with ${code} instead`));
    socket.once('close', closed);
    socket.once('message', (data, isBinary) => { socket.off('close', closed); resolve({ data, isBinary }); });
  });
}

async function checkEcho(name, socket, payload, isBinary, send) {
  try {
    const echo = nextMessage(socket);
    send();
    const got = await echo;
    if (got.isBinary !== isBinary) return report(name, `came back as ${got.isBinary ? 'binary' : 'text'}`);
    report(name, got.data.equals(payload) ? '' : `${got.data.length} bytes came back, and not the same ones`);
  } catch (error) {
    report(name, error.message);
  }
  return undefined;
}

function checkExtensions(extensions) {
  const got = extensions || 'none';
  if (!deflate) return report('no compression unasked', extensions && got);
  report('compression negotiated', extensions.startsWith('permessage-deflate') ? '' : got);
  const isReset = extensions.includes('server_no_context_takeover');
  return report(has('--takeover') ? 'context takeover kept' : 'context takeover declined',
    isReset === has('--takeover') ? got : '');
}

async function checkFragments(socket) {
  const text = textOf(1000);
  await checkEcho('text in fragments, cut inside a character', socket, text, false, () => {
    const cut = text.indexOf(0x9c); // the middle of U+2713
    socket.send(text.subarray(0, cut), { binary: false, fin: false });
    socket.send(Buffer.alloc(0), { binary: false, fin: false });
    socket.send(text.subarray(cut), { binary: false, fin: true });
  });
  const binary = binaryOf(70_000);
  await checkEcho('binary in fragments with a ping between', socket, binary, true, () => {
    socket.send(binary.subarray(0, 1), { binary: true, fin: false });
    socket.ping('between');
    socket.send(binary.subarray(1), { binary: true, fin: true });
  });
}

async function checkPing(socket, size) {
  try {
    const payload = binaryOf(size);
    const got = await within('the pong', (resolve) => {
      socket.once('pong', resolve);
      socket.ping(payload);
    });
    report(`ping of ${size}`, got.equals(payload) ? '' : 'the pong carries something else');
  } catch (error) {
    report(`ping of ${size}`, error.message);
  }
}

async function checkClose(name, expectedCode, expectedReason, act) {
  try {
    const { socket } = await connect();
    const [code, reason] = await within('the close', (resolve) => {
      socket.on('close', (...closed) => resolve(closed));
      act(socket);
    });
    const text = reason.toString();
    if (code !== expectedCode) return report(name, `closed with ${code} "${text}"`);
    if (text === '' && has('--allow-empty-reason')) return report(`${name} (no reason)`, '');
    report(name, text === expectedReason ? '' : `the reason is "${text}"`);
  } catch (error) {
    report(name, error.message);
  }
  return undefined;
}

async function runClient() {
  const { socket, extensions } = await connect();
  checkExtensions(extensions);
  for (const size of has('--large') ? [...sizes, payloadBytesMax] : sizes) {
    const text = textOf(size);
    await checkEcho(`text of ${size}`, socket, text, false, () => socket.send(text, { binary: false }));
    const binary = binaryOf(size);
    await checkEcho(`binary of ${size}`, socket, binary, true, () => socket.send(binary));
  }
  await checkFragments(socket);
  for (const size of [0, 125]) await checkPing(socket, size);
  socket.terminate();
  for (const [code, reason] of closes) {
    await checkClose(`close ${code} answered`, code, reason, (other) => other.close(code, reason));
  }
  if (!has('--echo-only')) {
    await checkClose('close from the server', 4001, 'asked to', (other) => other.send('close 4001 asked to'));
  }
  process.exit(faults === 0 ? 0 : 1);
}

function runServer() {
  const server = new WebSocketServer({
    host: '127.0.0.1', port: Number(value('--port')), perMessageDeflate: deflate, maxPayload: payloadBytesMax,
  });
  server.on('listening', () => console.log(`port ${server.address().port}`));
  server.on('connection', (socket) => {
    socket.on('error', (error) => console.error(error.message));
    socket.on('message', (data, isBinary) => {
      const order = !isBinary && data.length < 200 && /^close (\d{4}) (.*)$/.exec(data.toString());
      if (order) socket.close(Number(order[1]), order[2]);
      else socket.send(data, { binary: isBinary });
    });
  });
}

if (args[0] === 'client') {
  runClient().catch((error) => { report('connection', error.message); process.exit(1); });
} else {
  runServer();
}
