// What a person does in the viewer, in headless chromium; prints what was seen as JSON. Needs playwright-core.
// node browser.mjs URL FOLDER WIDTH light|dark
import { createRequire } from "node:module";
const require = createRequire(`${process.cwd()}/`);
const { chromium } = require("playwright-core");
const [url, folder, width, scheme] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: +width, height: 800 }, colorScheme: scheme, deviceScaleFactor: 1 });
const page = await context.newPage();
const said = [];
page.on("console", (each) => each.type() === "error" && said.push(each.text()));
page.on("pageerror", (each) => said.push(each.message));
await page.goto(url);

const settled = async () => {
  await page.waitForTimeout(700);
  await page.waitForFunction(() => [...document.querySelectorAll(".view")].every((each) => {
    const world = OpenSeadragon.getViewer(each).world;
    return [...Array(world.getItemCount()).keys()].every((at) => { const item = world.getItemAt(at); return !item.getOpacity() || item.getFullyLoaded(); });
  }), null, { timeout: 30000 });
  await page.waitForTimeout(300);
};
const shot = async (name, at = 0) => {
  await settled();
  const path = `${folder}/${name}.png`;
  await page.locator(".view").nth(at).screenshot({ path });
  return path;
};
const only = async (kind) => {
  for (const each of await page.locator("[data-layer]").all()) await each.setChecked((await each.getAttribute("data-layer")) === kind);
};
const slide = (kind, value) => page.locator(`[data-opacity="${kind}"]`).evaluate((control, to) => { control.value = to; control.dispatchEvent(new Event("input", { bubbles: true })); }, value);
const corner = (at = 0) => page.evaluate((number) => {
  const { viewport } = OpenSeadragon.getViewer(document.querySelectorAll(".view")[number]);
  const point = viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true);
  return { x: point.x, y: point.y, zoom: viewport.getZoom(true), centre: [viewport.getCenter(true).x, viewport.getCenter(true).y] };
}, at);

await settled();
await page.screenshot({ path: `${folder}/first.${width}.${scheme}.png`, fullPage: true });
const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
const seen = { overflow, panes: await page.locator(".view").count(), shots: {} };
await page.addStyleTag({ content: ".pane,#scale{visibility:hidden}" });
await page.locator("#one").click();
await settled();
seen.factor = await page.locator("#factor").textContent();
seen.corner = await corner();
for (const kind of ["none", "errors", "truth", "prediction", "probability"]) {
  if (kind !== "none" && !(await page.locator(`[data-layer="${kind}"]`).count())) continue;
  await only(kind);
  if (kind !== "none") await slide(kind, 100);
  seen.shots[kind] = await shot(`one.${kind}.${width}.${scheme}`);
}
await slide("probability", 20);
seen.shots.faint = await shot(`one.faint.${width}.${scheme}`);
await only("truth");
for (const each of await page.locator("[data-class]").all()) await each.setChecked(false);
seen.shots.classless = await shot(`one.classless.${width}.${scheme}`);
if (await page.locator('[name="picture"][value="original"]').count()) {
  await page.locator('[name="picture"][value="original"]').check();
  seen.shots.original = await shot(`one.original.${width}.${scheme}`);
}
if (seen.panes > 1) {
  const box = await page.locator(".view").nth(1).boundingBox();
  await page.mouse.move(box.x + box.width / 3, box.y + box.height / 3);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 3 + 60, box.y + box.height / 3 + 35, { steps: 8 });
  await page.mouse.up();
  await page.mouse.wheel(0, -300);
  await settled();
  seen.moved = [await corner(0), await corner(1)];
}
// Controls that are seen and that Tab does not reach; of radio buttons of one name it reaches the checked one.
await page.evaluate(() => {
  const own = [...document.querySelectorAll("a[href],button,input,select,[tabindex='0']")];
  window.waiting = new Set(own.filter((each) => each.checkVisibility({ checkVisibilityCSS: true }) && (each.type !== "radio" || each.checked)));
  document.addEventListener("focusin", (event) => window.waiting.delete(event.target));
  document.activeElement?.blur();
});
for (let at = 0; at < 120; at++) await page.keyboard.press("Tab");
seen.missed = await page.evaluate(() => [...window.waiting].map((each) => each.outerHTML.slice(0, 120)));
seen.errors = said;
await browser.close();
console.log(JSON.stringify(seen));
