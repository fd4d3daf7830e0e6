// Runs a browser against the real program: run.mjs direct|nginx --program FILE --source DIR --build-dir DIR
// Exit codes: 0 all hold, 1 a fault, 77 the browser or nginx is missing (1 with SINNET_REQUIRE_PEERS=1).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import tls from 'node:tls';
import { parseArgs } from 'node:util';
import { checkChat } from './chat.mjs';
import { Missing, freePort, startNginx, startSinnet } from './processes.mjs';

const { positionals: [way], values: options } = parseArgs({
  allowPositionals: true,
  options: { program: { type: 'string' }, source: { type: 'string' }, 'build-dir': { type: 'string' } },
});
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);

/** playwright-core: as installed beside this file, or else installed once below the build directory. */
function loadPlaywright(folder) {
  try {
    return createRequire(path.join(here, 'run.mjs'))('playwright-core');
  } catch { /* not installed there */ }
  const lock = fs.readFileSync(path.join(here, 'package-lock.json'));
  const stamp = path.join(folder, 'installed-for');
  if (!fs.existsSync(stamp) || !fs.readFileSync(stamp).equals(lock)) {
    for (const name of ['package.json', 'package-lock.json']) {
      fs.copyFileSync(path.join(here, name), path.join(folder, name));
    }
    const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
    if (done.status !== 0) throw new Missing(`npm ci: ${done.error ?? done.stderr}`);
    fs.writeFileSync(stamp, lock);
  }
  return createRequire(path.join(folder, 'run.mjs'))('playwright-core');
}

function launch(folder) {
  const programs = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];
  const executablePath = programs.find((file) => fs.existsSync(file));
  if (!executablePath) throw new Missing('chromium is not installed');
  return loadPlaywright(folder).chromium.launch({
    executablePath,
    args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

function arguments_(port) {
  return ['-c', path.join(options.source, 'examples/demo.toml'), '--listen', `127.0.0.1:${port}`,
    '--set', 'server.trusted_proxies=127.0.0.1'];
}

/** One request from a loopback address of its own, with a lie about where it comes from. */
async function request(port, localAddress) {
  const socket = tls.connect({ host: '127.0.0.1', port, localAddress, rejectUnauthorized: false });
  socket.write(`GET /style.css?from=${localAddress} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`
    + 'X-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n');
  const [head] = await once(socket.setEncoding('utf8'), 'data', { signal: AbortSignal.timeout(30_000) });
  socket.destroy();
  assert.match(head, /^HTTP\/1\.1 200 /);
}

async function runWay(browser, folder) {
  const port = await freePort();
  let server = await startSinnet(options.program, arguments_(port));
  let nginx;
  try {
    let url = `http://127.0.0.1:${port}/`;
    if (way === 'nginx') {
      nginx = await startNginx(folder, path.join(options.source, 'examples/nginx/sinnet.conf'), port);
      url = `https://127.0.0.1:${nginx.port}/`;
      await request(nginx.port, '127.0.0.3');
      await server.line(/ip=127\.0\.0\.3 /);
      assert.doesNotMatch(server.log, /203\.0\.113\.9/);
      console.log('ok the access log names the client, and not what it claims to be');
    }
    await checkChat(browser, url, async (meanwhile) => {
      assert.equal(await server.stop(), 0);
      await meanwhile();
      server = await startSinnet(options.program, arguments_(port));
    });
  } catch (error) {
    console.log(server.log, nginx?.program.log ?? '');
    throw error;
  } finally {
    await nginx?.program.stop('SIGTERM');
    assert.equal(await server.stop(), 0);
  }
}

function checkGuide() {
  const guide = fs.readFileSync(path.join(options.source, 'docs/guide/nginx.md'), 'utf8');
  const site = fs.readFileSync(path.join(options.source, 'examples/nginx/sinnet.conf'), 'utf8');
  assert.ok(guide.includes(`\`\`\`nginx\n${site}\`\`\``), 'docs/guide/nginx.md shows another sinnet.conf');
}

async function main() {
  const shared = path.resolve(options['build-dir']);
  const folder = path.join(shared, way);
  fs.mkdirSync(folder, { recursive: true });
  if (way === 'nginx') checkGuide();
  const browser = await launch(shared);
  try {
    await runWay(browser, folder);
  } finally {
    await browser.close();
  }
}

try {
  await main();
} catch (error) {
  console.log(error instanceof Missing ? `missing peer: ${error.message}` : error);
  process.exitCode = error instanceof Missing && process.env.SINNET_REQUIRE_PEERS !== '1' ? 77 : 1;
}
