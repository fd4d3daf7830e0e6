// The chat page in a real browser: what a person sees and types, in two windows at once. Knows a URL, not
// what stands behind it.
import assert from 'node:assert/strict';

const waitMs = 30_000; // only bounds a hang

async function openPage(browser, url, name) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.faults = [];
  page.sockets = [];
  page.on('pageerror', (error) => page.faults.push(error.message));
  page.on('websocket', (socket) => page.sockets.push(socket.url()));
  page.setDefaultTimeout(waitMs);
  await page.goto(url);
  await page.fill('#name', name);
  await page.waitForSelector('#status[data-state="open"]');
  return page;
}

async function say(page, words) {
  await page.fill('#text', words);
  await page.press('#text', 'Enter');
}

/** Waits for the line in the page's log, and answers its element. */
function line(page, kind, words) {
  return page.locator(`#log li.${kind}`).filter({ hasText: words }).first().elementHandle();
}

/** `restart` stops the server, calls back, and starts it again at the same place. */
export async function checkChat(browser, url, restart) {
  const anna = await openPage(browser, url, 'anna');
  const ben = await openPage(browser, url, 'ben');
  assert.equal(await anna.textContent('#status'), 'connected');
  const address = new URL('chat', url.replace(/^http/, 'ws')).href;
  assert.deepEqual(anna.sockets, [address]);

  await say(anna, 'hello ben \u2713 \u{1d11e}');
  await line(ben, 'theirs', 'anna: hello ben \u2713 \u{1d11e}');
  await line(anna, 'mine', 'anna: hello ben');
  await say(ben, 'hello anna');
  await line(anna, 'theirs', 'ben: hello anna');
  assert.equal(await anna.locator('#log li.theirs').count(), 1, 'a sender does not get its own message');
  console.log(`ok messages both ways over ${address}`);

  await say(anna, '<b id="bold">bold</b><img src=x onerror="document.title=1">');
  const shown = await line(ben, 'theirs', '<b id="bold">bold</b>');
  assert.equal(await shown.evaluate((item) => item.querySelectorAll('b, img').length), 0);
  assert.equal(await ben.title(), 'sinnet chat');
  console.log('ok markup is shown, not obeyed');

  await restart(async () => {
    for (const page of [anna, ben]) {
      await page.waitForSelector('#status:not([data-state="open"])');
      assert.equal(await page.isDisabled('#send'), true);
    }
    assert.match(await anna.textContent('#status'), /disconnected \(\d+.*trying again|connecting/);
  });
  for (const page of [anna, ben]) await page.waitForSelector('#status[data-state="open"]');
  await say(ben, 'back again');
  await line(anna, 'theirs', 'ben: back again');
  await line(ben, 'mine', 'hello anna'); // what was said before is still to be read
  console.log('ok both pages reconnect after a restart');
  assert.deepEqual([...anna.faults, ...ben.faults], []);
  await anna.context().close();
  await ben.context().close();
}
