// Charts: where scripts run, a picture gives way to the chart itself, which shows values under the pointer. It is drawn when it
// comes near the screen, as wide as it is there and in the colours of the page, by charts/vega.min.js beside the page. Without
// that file the pictures stay.
"use strict";
(() => {
  const LEAST = 400; // pixels below which a chart is made smaller as a whole
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map(); // figure → its chart, and the width and theme that it was drawn for
  let library, queue = Promise.resolve();

  const loaded = () => library ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "charts/vega.min.js";
    script.onload = done;
    script.onerror = () => failed(new Error(`${script.src} is missing: the charts stay pictures.`));
    document.head.append(script);
  });

  async function draw(figure) {
    const width = figure.clientWidth, theme = dark.matches ? "dark" : "light", before = drawn.get(figure);
    if (!width || (before?.width === width && before.theme === theme)) return;
    await loaded();
    const chart = JSON.parse(figure.querySelector("script").textContent);
    const given = { ...chart.usermeta.themes[theme], across: Math.max(width, LEAST) };
    chart.params = chart.params.map((each) => each.name in given ? { ...each, value: given[each.name] } : each);
    chart.width = given.across;
    const place = document.createElement("div");
    place.className = "live";
    const view = await vegaEmbed(place, chart, {
      actions: false, ast: true, config: { font: getComputedStyle(figure).fontFamily }, defaultStyle: false, mode: "vega-lite",
      renderer: "svg", tooltip: { disableDefaultStyle: true, theme: "page" },
    });
    before?.view.finalize();
    figure.querySelector(".live")?.remove();
    figure.append(place);
    figure.classList.add("drawn");
    drawn.set(figure, { view, width, theme });
  }

  const ask = (figure) => queue = queue.then(() => draw(figure)).catch((error) => console.warn(error));
  const again = () => [...drawn.keys()].forEach(ask);
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      ask(target);
    }
  }, { rootMargin: "400px" });
  document.querySelectorAll("figure.chart").forEach((figure) => near.observe(figure));
  dark.addEventListener("change", again);
  let waiting;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(again, 150); });
})();
