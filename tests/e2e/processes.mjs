// Starts and ends the programs that the browser tests need: sinnet, nginx. Knows nothing of what is tested.
// Everything it starts is a child that ends with stop(); nothing is found or killed by name.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

const waitMs = 30_000; // a sanitized server on a busy machine; this only bounds a hang

export class Missing extends Error {}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A child whose stderr is kept line by line. */
export class Program {
  constructor(command, args) {
    this.name = path.basename(command);
    this.log = '';
    this.child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    this.ended = once(this.child, 'close');
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.log += text; });
  }

  /** Resolves when stderr, from `start` on, has a match. */
  async line(pattern, start = 0) {
    const timeout = AbortSignal.timeout(waitMs);
    for (;;) {
      const match = pattern.exec(this.log.slice(start));
      if (match) return match;
      if (this.child.exitCode !== null) {
        throw new Error(`${this.name} ended with ${this.child.exitCode}:\n${this.log}`);
      }
      try {
        await once(this.child.stderr, 'data', { signal: timeout });
      } catch {
        throw new Error(`${this.name} never said ${pattern}:\n${this.log}`);
      }
    }
  }

  async stop(signal = 'SIGTERM') {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal);
      const killer = setTimeout(() => this.child.kill('SIGKILL'), waitMs);
      await this.ended;
      clearTimeout(killer);
    }
    return this.child.exitCode;
  }
}

export async function startSinnet(program, args) {
  const server = new Program(program, ['serve', ...args]);
  await server.line(/listening /);
  return server;
}

async function answers(port, program) {
  const deadline = Date.now() + waitMs;
  while (Date.now() < deadline && program.child.exitCode === null) {
    const socket = net.connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await new Promise((resolve) => { setTimeout(resolve, 20); }); // no event tells of another's listen()
    } finally {
      socket.destroy();
    }
  }
  throw new Error(`${program.name} does not listen on ${port}:\n${program.log}`);
}

function replaced(text, from, to) {
  if (!text.includes(from)) throw new Error(`sinnet.conf has no "${from}"`);
  return text.replace(from, to);
}

/** nginx as a foreground child below `folder`, with the documented site: only names and ports are changed. */
export async function startNginx(folder, site, upstreamPort) {
  const nginx = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((file) => fs.existsSync(file));
  if (!nginx) throw new Missing('nginx is not installed');
  const key = path.join(folder, 'key.pem');
  const certificate = path.join(folder, 'certificate.pem');
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate]);
  if (made.status !== 0) throw new Missing(`openssl made no certificate: ${made.error ?? made.stderr}`);

  const port = await freePort();
  let text = fs.readFileSync(site, 'utf8');
  text = replaced(text, 'server 127.0.0.1:8080;', `server 127.0.0.1:${upstreamPort};`);
  text = replaced(text, 'listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`);
  text = replaced(text, 'server_name chat.example.com;', 'server_name 127.0.0.1;');
  text = replaced(text, '/etc/ssl/certs/chat.example.com.pem', certificate);
  text = replaced(text, '/etc/ssl/private/chat.example.com.key', key);
  fs.writeFileSync(path.join(folder, 'sinnet.conf'), text);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${path.join(folder, name)};`).join('\n');
  fs.writeFileSync(path.join(folder, 'nginx.conf'), `
daemon off;
${process.getuid() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${path.join(folder, 'nginx.pid')};
error_log stderr;
events { worker_connections 64; }
http {
  access_log off;
${temporary}
  include ${path.join(folder, 'sinnet.conf')};
}
`);
  const program = new Program(nginx, ['-p', folder, '-e', 'stderr', '-c', path.join(folder, 'nginx.conf')]);
  await answers(port, program);
  return { program, port };
}
