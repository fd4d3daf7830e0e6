// The chat page: one WebSocket, reopened with back-off when it ends. Messages are plain text, so that a
// shell can join in.

const log = document.querySelector("#log");
const text = document.querySelector("#text");
const send = document.querySelector("#send");
const status = document.querySelector("#status");
const name = document.querySelector("#name");

const LINES_MAX = 500; // a page left open for days must not grow without end
const DELAY_FIRST_MS = 500;
const DELAY_MAX_MS = 15_000;
const STEADY_MS = 5_000; // a connection that held so long starts the back-off anew

let socket = null;
let delay = DELAY_FIRST_MS;
let retry = 0;

name.value = localStorage.getItem("name") ?? `guest-${crypto.getRandomValues(new Uint16Array(1))[0] % 1000}`;
name.addEventListener("change", () => localStorage.setItem("name", name.value));

function show(line, kind) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const item = document.createElement("li");
  item.className = kind;
  const time = document.createElement("time");
  const now = new Date();
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  item.append(time, line); // a string becomes a text node: nothing in it is markup
  log.append(item);
  while (log.childElementCount > LINES_MAX) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function state(value, words) {
  status.dataset.state = value;
  status.textContent = words;
  send.disabled = value !== "open";
}

function address() {
  const url = new URL("chat", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.search = url.hash = "";
  return url;
}

function connect() {
  clearTimeout(retry);
  state("connecting", "connecting…");
  const current = new WebSocket(address());
  let steady = 0;
  socket = current;
  current.addEventListener("open", () => {
    state("open", "connected");
    steady = setTimeout(() => { delay = DELAY_FIRST_MS; }, STEADY_MS);
  });
  current.addEventListener("message", async ({ data }) => {
    show(typeof data === "string" ? data : await data.text(), "theirs");
  });
  current.addEventListener("close", ({ code, reason }) => {
    clearTimeout(steady);
    const wait = delay * (0.5 + Math.random() / 2); // not everyone at once after a restart
    delay = Math.min(delay * 2, DELAY_MAX_MS);
    const why = reason ? `${code}, ${reason}` : code;
    state("closed", `disconnected (${why}), trying again in ${Math.ceil(wait / 1000)} s`);
    retry = setTimeout(connect, wait);
  });
}

document.querySelector("#form").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = text.value.trim();
  if (words === "" || socket?.readyState !== WebSocket.OPEN) return;
  const line = `${name.value.trim() || "someone"}: ${words}`;
  socket.send(line);
  show(line, "mine"); // the server sends it to all others
  text.value = "";
  text.focus();
});

window.addEventListener("online", () => {
  if (socket.readyState === WebSocket.CLOSED) connect();
});

connect();
