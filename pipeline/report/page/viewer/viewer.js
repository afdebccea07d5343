// Deep zoom of one image: its layers one over the other, from files beside the page, which may lie on a disk.
"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const form = document.getElementById("controls");
  const at = (name) => document.getElementById(name);

  // The canvas is never read, so that pictures of file:// may taint it; WebGL refuses those.
  const viewer = OpenSeadragon({
    element: at("view"), drawer: "canvas", crossOriginPolicy: false, loadTilesWithAjax: false,
    showNavigationControl: false, animationTime: 0.4, visibilityRatio: 0.3, minZoomImageRatio: 0.7,
    maxZoomPixelRatio: 24, minPixelRatio: 0.7, maxImageCacheCount: facts.layers.some((each) => each.levels) ? 60 : 600,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
  });

  const tiled = (layer) => {
    const present = layer.tiles && layer.tiles.map((numbers) => new Set(numbers));
    const finer = (level) => layer.last - level;
    const source = new OpenSeadragon.TileSource({
      width: layer.width, height: layer.height, tileSize: layer.tile, tileOverlap: 0, minLevel: 0, maxLevel: layer.last,
    });
    source.getTileUrl = (level, x, y) => `${layer.name}.${finer(level)}.${y}.${x}.${layer.suffix}`;
    source.tileExists = (level, x, y) => {
      const { x: columns, y: rows } = source.getNumTiles(level);
      if (x < 0 || y < 0 || x >= columns || y >= rows || level < 0 || level > layer.last) return false;
      return !present || present[finer(level)].has(y * columns + x);
    };
    return source;
  };
  const source = (layer) => (layer.levels ? new OpenSeadragon.LegacyTileSource(layer.levels) : tiled(layer));

  const opacity = (layer) => {
    const control = form.querySelector(`[data-layer="${layer.kind}"]`);
    if (!control) return form.elements.picture.value === layer.kind ? 1 : 0;
    const ofClass = form.querySelector(`[data-class="${layer.class}"]`);
    const seen = control.checked && (!ofClass || ofClass.checked);
    return seen ? form.querySelector(`[data-opacity="${layer.kind}"]`).value / 100 : 0;
  };
  const items = [];
  const apply = () => items.forEach((item, number) => item.setOpacity(opacity(facts.layers[number])));
  facts.layers.forEach((layer, number) => viewer.addTiledImage({
    tileSource: source(layer), x: 0, y: 0, width: 1, opacity: opacity(layer),
    success: (event) => {
      items[number] = event.item;
      if (number === 0 && location.hash === "#1:1") toOne();
      apply();
    },
  }));
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());

  // Magnification: pixels of the screen per pixel of the image.
  const ratio = () => window.devicePixelRatio || 1;
  const containerWidth = () => viewer.viewport.getContainerSize().x;
  const factor = () => (viewer.viewport.getZoom(true) * containerWidth() * ratio()) / facts.width;
  const lengths = [1, 2, 5].flatMap((digit) => [...Array(8).keys()].map((power) => digit * 10 ** (power - 1)));
  const named = (length) => {
    if (!facts.micrometres) return `${length} px`;
    return length >= 1000 ? `${length / 1000} mm` : `${length} µm`;
  };
  let smooth = true;
  const update = () => {
    const one = factor();
    if (!Number.isFinite(one) || one <= 0) return;
    const unit = one / ratio() / (facts.micrometres || 1);
    const length = Math.max(...lengths.filter((each) => each * unit <= 130), Math.min(...lengths));
    at("scale").querySelector("i").style.width = `${length * unit}px`;
    at("scale").querySelector("span").textContent = named(length);
    at("factor").textContent = `${one < 0.1 ? (100 * one).toFixed(1) : Math.round(100 * one)} %`;
    // From 1:1 on every pixel is seen as it is.
    if (smooth !== one < 0.999) {
      smooth = !smooth;
      viewer.drawer.setImageSmoothingEnabled(smooth);
    }
  };
  viewer.addHandler("update-viewport", update);
  viewer.addHandler("resize", update);

  const toOne = () => {
    const { viewport } = viewer;
    viewport.zoomTo(facts.width / (containerWidth() * ratio()), null, true);
    const corner = viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true).times(ratio());
    const off = new OpenSeadragon.Point(corner.x - Math.round(corner.x), corner.y - Math.round(corner.y));
    viewport.panBy(viewport.deltaPointsFromPixels(off.divide(ratio()), true), true);
    viewer.forceRedraw();
  };
  const zoomBy = (by) => viewer.viewport.zoomBy(by).applyConstraints();
  at("one").addEventListener("click", toOne);
  at("all").addEventListener("click", () => viewer.viewport.goHome());
  at("in").addEventListener("click", () => zoomBy(1.6));
  at("out").addEventListener("click", () => zoomBy(1 / 1.6));
})();
