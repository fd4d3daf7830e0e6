// The npm package ws as an echo and fan-out server. Never compresses unless asked; `bufferutil` (native
// masking) is installed beside it, as its documentation recommends.
'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const { WebSocketServer } = require('ws');

const words = process.argv.slice(2);
const deflate = words.includes('--deflate');
const secure = words.indexOf('--tls');

const server = secure < 0
  ? http.createServer()
  : https.createServer({ cert: fs.readFileSync(words[secure + 1]), key: fs.readFileSync(words[secure + 2]) });
const takeover = { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 };
const sockets = new WebSocketServer({
  server,
  clientTracking: false,
  maxPayload: 64 * 1024 * 1024,
  perMessageDeflate: deflate ? takeover : false,
});
const subscribers = new Set();

sockets.on('connection', (socket, request) => {
  socket.on('error', () => {});
  if (request.url === '/fanout') {
    subscribers.add(socket);
    socket.on('close', () => subscribers.delete(socket));
  } else if (request.url === '/publish') {
    socket.on('message', (data, binary) => {
      for (const subscriber of subscribers) subscriber.send(data, { binary });
    });
  } else {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  }
});
server.listen({ port: Number(words[0]), host: '127.0.0.1', backlog: 4096 }, () => console.log('ready'));
