// Looks at the status page with the eyes of a browser: Debian's Chromium, driven by Playwright.
//
// The page is that of a running server; what happens behind it is up to whoever started this script, by
// lines on its standard output and input:
//
//   ok NAME | not ok NAME: WHY    one line per case; the exit status is 1 when one was not ok
//   ready NAME                    now make a change that the page must show; the answer is one line of JSON,
//                                 {"at": <milliseconds since 1970 when the change was made>, "text": <what must appear>}
//   seen NAME 734ms               how long the text took
//   done                          the end
//
// Environment:
//   WINDLASS_WEB_URL   address of the page, http://127.0.0.1:8080
//   WINDLASS_APPS      namespace/name of Applications that must be listed, separated by commas; the first is the
//                      one that changes
//   WINDLASS_LIMIT_MS  how long a change may take to appear (default 2000)
//   WINDLASS_SHOTS     directory for screenshots; none are taken without it
//   CHROMIUM           the browser (default: the first that Debian has)
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const base = process.env.WINDLASS_WEB_URL?.replace(/\/$/, "");
const apps = (process.env.WINDLASS_APPS ?? "").split(",").filter(Boolean);
assert(base && apps.length > 0, "set WINDLASS_WEB_URL and WINDLASS_APPS; see the head of this file");
const limit = Number(process.env.WINDLASS_LIMIT_MS ?? 2000);
const shots = process.env.WINDLASS_SHOTS;
const subject = "/applications/" + apps[0].split("/").map(encodeURIComponent).join("/");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync),
  args: [
    "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    // Chromium's own sandbox refuses to run as root.
    ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
  ],
});

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
let failed = false;

async function test(name, run) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    failed = true;
    console.log(`not ok ${name}: ${error.message.replaceAll(/\s+/g, " ")}`);
    console.error(error, ...browser.contexts().flatMap((context) => context.pages().map((page) => page.complaints)));
  } finally {
    await Promise.all(browser.contexts().map((context) => context.close()));
  }
}

/** A new page that remembers everything which should not have happened in it. */
async function open(path, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    page.complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.complaints.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(base)) page.complaints.push(`request elsewhere: ${request.url()}`);
  });
  await context.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", (violation) => {
      globalThis.violations.push(`${violation.violatedDirective} ${violation.blockedURI}`);
    });
  });
  await page.goto(base + path);
  return page;
}

async function close(page) {
  const violations = await page.evaluate(() => globalThis.violations ?? []).catch(() => []);
  await page.context().close();
  assert.deepEqual([...page.complaints, ...violations.map((violation) => `policy: ${violation}`)], []);
}

const live = (page) => page.waitForSelector('#connection[data-state="live"]');

/** Asks for a change, waits until the page shows its text, and checks that the page was never loaded anew. */
async function change(page, name) {
  await live(page);
  await page.evaluate(() => (globalThis.marker = "same page"));
  console.log(`ready ${name}`);
  const { value, done } = await answers.next();
  assert(!done, `nobody answered "ready ${name}"`);
  const { at, text } = JSON.parse(value);
  const shown = await page.evaluate(
    (text) =>
      new Promise((resolve, reject) => {
        const content = document.getElementById("main");
        const look = () => {
          if (!content.textContent.includes(text)) return;
          observer.disconnect();
          resolve(Date.now());
        };
        const observer = new MutationObserver(look);
        observer.observe(content, { subtree: true, childList: true, characterData: true });
        setTimeout(() => reject(new Error(`"${text}" did not appear within 30 s`)), 30_000);
        look();
      }),
    text,
  );
  const took = Math.max(0, Math.round(shown - at));
  console.log(`seen ${name} ${took}ms`);
  assert.equal(await page.evaluate(() => globalThis.marker), "same page", "the page was loaded anew");
  assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation").length), 1);
  assert(took <= limit, `it took ${took} ms, more than ${limit} ms`);
  return text;
}

async function accessible(page) {
  await page.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const lines = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3).join(" ")}`);
  assert.deepEqual(lines, []);
}

await test("the applications are listed", async () => {
  const page = await open("/");
  for (const app of apps) {
    const [namespace, name] = app.split("/");
    const row = page.locator("tbody tr", { has: page.getByRole("link", { name: `${namespace}/${name}`, exact: true }) });
    assert.equal(await row.count(), 1, `${app} is not listed once`);
    assert(await row.locator(".badge").count() >= 2, `${app} has no sync state and health`);
  }
  await close(page);
});

await test("a change appears in the list without a reload", async () => {
  const page = await open("/");
  await change(page, "list");
  await close(page);
});

await test("a change appears on the application's page without a reload", async () => {
  const page = await open(subject);
  await change(page, "page");
  await close(page);
});

await test("hostile text appears as text and runs nothing", async () => {
  const page = await open("/");
  const text = await change(page, "hostile");
  assert(await page.locator(`tbody :text(${JSON.stringify(text)})`).count() > 0 || (await page.innerText("tbody")).includes(text));
  const foreign = await page.evaluate(() =>
    [...document.querySelectorAll("script, img, iframe, object, embed, [onerror], [onload], [onclick], [style]")]
      .filter((element) => !(element.tagName === "SCRIPT" && element.src.startsWith(location.origin)))
      .map((element) => element.outerHTML),
  );
  assert.deepEqual(foreign, []);
  await close(page);
  const one = await open(subject);
  assert((await one.innerText("main")).includes(text));
  await close(one);
});

await test("a lost connection is shown and mended", async () => {
  const page = await open("/");
  await live(page);
  await page.evaluate(() => {
    const streaming = document.getElementById("live");
    streaming._htmx.sse.reader.cancel();
    globalThis.realFetch = globalThis.fetch;
    globalThis.fetch = () => Promise.reject(new TypeError("cut off"));
  });
  await page.waitForSelector('#connection[data-state="lost"]');
  await page.evaluate(() => (globalThis.fetch = globalThis.realFetch));
  await live(page);
  page.complaints = page.complaints.filter((complaint) => !complaint.includes("cut off"));
  await close(page);
});

await test("the page becomes live however late its files are and though its first request fails", async () => {
  const slow = await open("/none");
  slow.complaints = [];
  await slow.route(/hx-sse/, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await route.continue();
  });
  let refused = 0;
  await slow.route(/\/events/, (route) => (refused++ === 0 ? route.abort() : route.continue()));
  await slow.goto(base);
  await live(slow);
  assert.equal(refused, 2);
  slow.complaints = slow.complaints.filter((complaint) => !/Failed to fetch|ERR_FAILED/.test(complaint));
  await close(slow);
});

const paper = {};
for (const colorScheme of ["light", "dark"]) {
  for (const [path, title] of [["/", "list"], ["/?sync=Synced", "filtered list"], [subject, "application"], ["/none", "error"]]) {
    for (const width of [1280, 360]) {
      await test(`the ${title} is accessible in ${colorScheme} at ${width} px`, async () => {
        const page = await open(path, { colorScheme, viewport: { width, height: 900 } });
        if (path !== "/none") await live(page);
        paper[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert(wider <= 0, `${wider} px are cut off at the side`);
        await accessible(page);
        if (shots) await page.screenshot({ path: `${shots}/${title}-${colorScheme}-${width}.png`, fullPage: width === 360 });
        page.complaints = page.complaints.filter((complaint) => path !== "/none" || !complaint.includes("404"));
        await close(page);
      });
    }
  }
}

await test("light and dark differ", () => assert.notEqual(paper.light, paper.dark));

await test("it can be used by keyboard", async () => {
  const page = await open("/");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, "none", "the focus is not visible");
  await page.getByRole("searchbox").focus();
  await page.keyboard.type(apps[0].split("/")[1]);
  await page.keyboard.press("Enter");
  await page.waitForURL(/[?]q=/);
  assert(await page.locator("tbody tr").count() >= 1);
  await close(page);
});

await test("it works without JavaScript", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(base);
  await page.getByRole("link", { name: apps[0], exact: true }).click();
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), apps[0]);
  await context.close();
});

await browser.close();
console.log("done");
process.exit(failed ? 1 : 0);
