// What a person does in a report and in a page of an image that lie on a disk, in headless chromium; prints what was seen as JSON.
// node files.mjs report|image URL FOLDER WIDTH light|dark        Needs playwright-core and axe-core.
import { createRequire } from "node:module";
const require = createRequire(`${process.cwd()}/`);
const { chromium } = require("playwright-core");
const [kind, url, folder, width, scheme] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: +width, height: 800 }, colorScheme: scheme, deviceScaleFactor: 1 });
const page = await context.newPage();
const seen = { errors: [], asked: [] };
page.on("console", (each) => each.type() === "error" && seen.errors.push(each.text()));
page.on("pageerror", (each) => seen.errors.push(each.message));
page.on("request", (each) => /^(file|data|blob):/.test(each.url()) || seen.asked.push(each.url()));
await page.goto(url);
await page.waitForTimeout(500);
await page.screenshot({ path: `${folder}/${kind}.${width}.${scheme}.png`, fullPage: kind === "image" });
seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

// Every control that is seen is reached by Tab: a ring of names of elements, from the first on.
seen.missed = await (async () => {
  await page.evaluate(() => {
    const controls = 'a[href],button,input,select,textarea,summary,[tabindex]:not([tabindex="-1"])';
    const visible = (each) => each.checkVisibility({ checkVisibilityCSS: true }) && !each.disabled;
    // Of radio buttons of one name Tab reaches the checked one, arrows the others.
    const own = [...document.querySelectorAll(controls)].filter((each) => visible(each) && (each.type !== "radio" || each.checked));
    window.waiting = new Set(own);
    document.addEventListener("focusin", (event) => window.waiting.delete(event.target));
  });
  const count = await page.evaluate(() => window.waiting.size);
  await page.evaluate(() => document.activeElement?.blur());
  for (let at = 0; at < count + 40; at++) {
    await page.keyboard.press("Tab");
    if (at % 20 === 19 && !(await page.evaluate(() => window.waiting.size))) break;
  }
  seen.controls = count;
  return page.evaluate(() => [...window.waiting].map((each) => each.outerHTML.slice(0, 120)));
})();

// Tables: a click on a heading sorts, another turns the order round, and what is typed leaves the rows that hold it.
if (kind === "report") {
  seen.tables = await page.evaluate(async () => {
    const wait = (time) => new Promise((done) => setTimeout(done, time));
    const shown = (table) => [...table.tBodies[0].rows].filter((row) => !row.hidden);
    const found = { sorted: 0, unsorted: [], filtered: 0, unfiltered: [] };
    for (const table of document.querySelectorAll("table.sortable")) {
      const name = table.caption.textContent, head = [...table.tHead.rows[0].cells].find((each) => !each.classList.contains("no-sort"));
      const column = head.cellIndex, texts = () => shown(table).map((row) => row.cells[column].textContent.trim());
      if (shown(table).length < 2) continue;
      const before = [...texts()].sort().join();
      head.click();
      await wait(60);
      const one = texts();
      head.click();
      await wait(60);
      const other = texts();
      const good = [one, other].every((each) => [...each].sort().join() === before) && one.at(0) === other.at(-1) && head.hasAttribute("aria-sort");
      good ? found.sorted++ : found.unsorted.push(name);
      const field = table.caption.querySelector("input[type=search]");
      if (!field) continue;
      const word = one[0].toLowerCase(), all = shown(table).length;
      const type = (text) => { field.value = text; field.dispatchEvent(new Event("input", { bubbles: true })); };
      type(word);
      const left = shown(table);
      const right = left.length > 0 && left.every((row) => row.textContent.toLowerCase().includes(word));
      type("no row holds this");
      const none = shown(table).length === 0;
      type("");
      right && none && shown(table).length === all ? found.filtered++ : found.unfiltered.push(name);
    }
    return found;
  });
}

// Charts: each gives way to what is drawn, and a mark under the pointer shows its values; nothing is wider than its place.
if (kind === "report") {
  seen.charts = { shown: [], silent: [], cut: [] };
  for (const figure of await page.locator("figure.chart").all()) {
    await figure.scrollIntoViewIfNeeded();
    await page.waitForFunction((each) => each.classList.contains("drawn"), await figure.elementHandle(), { timeout: 30000 });
    const name = await figure.locator("figcaption").textContent();
    // Cells of the nearest point lie over all other marks.
    const marks = figure.locator(".mark-symbol.role-mark path, .mark-rect.role-mark path, .mark-path.role-mark path");
    const tooltip = page.locator("#vg-tooltip-element.visible");
    for (let at = Math.min(await marks.count(), 40) - 1; at >= 0 && !(await tooltip.count()); at--) {
      const box = await marks.nth(at).boundingBox();
      if (box) await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await page.waitForTimeout(20);
    }
    const text = (await tooltip.count()) ? await tooltip.innerText() : "";
    /\d/.test(text) ? seen.charts.shown.push(`${name}: ${text.replaceAll(/\s+/g, " ")}`) : seen.charts.silent.push(name);
    if (seen.charts.shown.length === 1) await page.screenshot({ path: `${folder}/chart.${width}.${scheme}.png` });
    const cut = await figure.evaluate((each) => {
      const view = each.querySelector(".live svg").getBoundingClientRect();
      return [...each.querySelectorAll(".live text")].filter((one) => {
        const own = one.getBoundingClientRect();
        return own.width && (own.left < view.left - 1 || own.right > view.right + 1 || own.top < view.top - 1 || own.bottom > view.bottom + 1);
      }).map((one) => one.textContent);
    });
    seen.charts.cut.push(...cut.map((each) => `${name}: ${each}`));
    await page.mouse.move(0, 0);
  }
}

// Layers of a page of an image: each changes the picture, its slider too, and the other result shows other masks.
if (kind === "image") {
  const settled = async () => {
    await page.waitForTimeout(500);
    await page.waitForFunction(() => {
      const world = OpenSeadragon.getViewer(document.querySelector(".view")).world;
      return [...Array(world.getItemCount()).keys()].every((at) => { const item = world.getItemAt(at); return !item.getOpacity() || item.getFullyLoaded(); });
    }, null, { timeout: 30000 });
    await page.waitForTimeout(200);
  };
  const shot = async (name) => {
    await settled();
    const path = `${folder}/${name}.${width}.${scheme}.png`;
    await page.locator(".view").screenshot({ path });
    return path;
  };
  const layers = await page.locator("[data-layer]").all();
  const only = async (kind) => { for (const each of layers) await each.setChecked((await each.getAttribute("data-layer")) === kind); };
  const slide = (kind, value) => page.locator(`[data-opacity="${kind}"]`).evaluate((control, to) => { control.value = to; control.dispatchEvent(new Event("input", { bubbles: true })); }, value);
  await page.addStyleTag({ content: ".pane,#scale{visibility:hidden}" });
  await page.locator("#one").click();
  await settled();
  seen.factor = await page.locator("#factor").textContent();
  seen.corner = await page.evaluate(() => {
    const point = OpenSeadragon.getViewer(document.querySelector(".view")).viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true);
    return { x: point.x, y: point.y };
  });
  seen.shots = {};
  await only("");
  seen.shots.none = await shot("file.none");
  for (const each of layers) {
    const name = await each.getAttribute("data-layer");
    await only(name);
    await slide(name, 100);
    seen.shots[name] = await shot(`file.${name}`);
    await slide(name, 15);
    seen.shots[`${name} faint`] = await shot(`file.${name}.faint`);
    await slide(name, 100);
  }
  if (await page.locator('select[name="shown"]').count()) {
    await only("prediction");
    await page.locator('select[name="shown"]').selectOption("1");
    seen.shots.other = await shot("file.other");
  }
  if (await page.locator('[name="picture"][value="original"]').count()) {
    await only("");
    await page.locator('[name="picture"][value="original"]').check();
    seen.shots.original = await shot("file.original");
  }
  // Names with markup are text: nothing of them became an element.
  seen.markup = await page.evaluate(() => document.querySelectorAll("b.planted,script.planted").length);
  seen.text = await page.evaluate(() => document.body.innerText.includes("<b class=planted>"));
}

await page.addScriptTag({ path: require.resolve("axe-core/axe.min.js") });
seen.axe = await page.evaluate(async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], preload: false });
  return violations.filter((each) => ["serious", "critical"].includes(each.impact)).map((each) => `${each.id} (${each.nodes.length}): ${each.nodes[0].html.slice(0, 120)}`);
});
await browser.close();
console.log(JSON.stringify(seen));
