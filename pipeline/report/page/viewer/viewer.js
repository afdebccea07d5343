// Deep zoom of one image: its layers one over the other, from files beside the page, which may lie on a disk, or from a server.
// Several results stand side by side, each in a pane; what is moved in one moves in all.
"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const form = document.getElementById("controls");
  const at = (name) => document.getElementById(name);
  const inFiles = facts.panes.some((pane) => pane.layers.some((each) => each.levels));

  // A view begins and ends at whole pixels of the screen; otherwise the browser would smear each over two.
  const ratio = () => window.devicePixelRatio || 1;
  const fit = () => document.querySelectorAll(".stage").forEach((stage) => {
    const box = stage.getBoundingClientRect(), { style } = stage.querySelector(".view");
    const inset = (start) => Math.ceil(start * ratio() - 0.01) / ratio() - start;
    const [left, top] = [inset(box.left + scrollX), inset(box.top + scrollY)];
    const length = (whole, cut) => `${Math.floor((whole - cut) * ratio() + 0.01) / ratio()}px`;
    Object.assign(style, { inset: `${top}px auto auto ${left}px`, width: length(box.width, left), height: length(box.height, top) });
  });
  fit();
  addEventListener("resize", fit);

  // The canvas is never read, so that pictures of file:// may taint it; WebGL refuses those.
  const viewers = [...document.querySelectorAll(".view")].map((element) => OpenSeadragon({
    element, drawer: "canvas", crossOriginPolicy: false, loadTilesWithAjax: false,
    showNavigationControl: false, animationTime: 0.4, visibilityRatio: 0.3, minZoomImageRatio: 0.7,
    maxZoomPixelRatio: 24, minPixelRatio: 0.7, maxImageCacheCount: inFiles ? 60 : 600,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
  }));
  let leader = viewers[0];

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
  const sources = [];
  const source = (layer) => {
    sources.push(layer.levels ? new OpenSeadragon.LegacyTileSource(layer.levels) : tiled(layer));
    return sources.at(-1);
  };

  const opacity = (layer) => {
    const control = form.querySelector(`[data-layer="${layer.kind}"]`);
    if (!control) return form.elements.picture.value === layer.kind ? 1 : 0;
    if (layer.result !== undefined && layer.result !== Number(form.elements.shown?.value ?? 0)) return 0;
    const ofClass = form.querySelector(`[data-class="${layer.class}"]`);
    const seen = control.checked && (!ofClass || ofClass.checked);
    return seen ? form.querySelector(`[data-opacity="${layer.kind}"]`).value / 100 : 0;
  };

  // Boxes of patches and their centres: of the same width at every magnification, on a canvas of their own. Where hundreds lie
  // one over the other lines are faint, so that the picture is seen between them.
  const few = 60;
  const canvases = new Map(viewers.filter(() => facts.boxes.length).map((viewer) => {
    const canvas = document.createElement("canvas");
    canvas.className = "patches";
    viewer.container.append(canvas);
    return [viewer, canvas];
  }));
  const drawBoxes = (viewer) => {
    const canvas = canvases.get(viewer);
    if (!canvas || !viewer.world.getItemCount()) return;
    const size = viewer.viewport.getContainerSize(), pen = canvas.getContext("2d");
    [canvas.width, canvas.height] = [Math.round(size.x * ratio()), Math.round(size.y * ratio())];
    const share = opacity({ kind: "patches" });
    if (!share) return;
    const corner = viewer.viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true).times(ratio());
    const scale = (viewer.viewport.getZoom(true) * canvas.width) / facts.width;
    const inView = ([x, y, width, height]) => x < canvas.width && y < canvas.height && x + width > 0 && y + height > 0;
    const seen = facts.boxes.map(([y, x, height, width]) => [corner.x + x * scale, corner.y + y * scale, width * scale, height * scale]).filter(inView);
    const boxes = new Path2D(), centres = new Path2D(), dot = 2 * ratio();
    seen.forEach(([x, y, width, height]) => {
      boxes.rect(x, y, width, height);
      centres.rect(x + width / 2 - dot, y + height / 2 - dot, 2 * dot, 2 * dot);
    });
    const stroke = (path, width, colour, alpha) => {
      Object.assign(pen, { lineWidth: width * ratio(), strokeStyle: colour, globalAlpha: share * alpha });
      pen.stroke(path);
    };
    if (seen.length <= few) stroke(boxes, 3, "#000", 1);
    stroke(boxes, seen.length <= few ? 1.2 : 0.7, "#fff", Math.max(0.25, Math.min(1, few / seen.length)));
    stroke(centres, 1.5, "#000", 1);
    pen.fillStyle = "#fff";
    pen.fill(centres);
  };
  viewers.forEach((viewer) => viewer.addHandler("update-viewport", () => drawBoxes(viewer)));

  const shown = [];
  const apply = () => {
    shown.forEach(({ item, layer }) => item.setOpacity(opacity(layer)));
    viewers.forEach(drawBoxes);
  };
  // A layer of half the size covers two pixels each: of an image of odd width it reaches one beyond.
  const extent = (layer) => {
    const own = layer.levels ? Math.max(...layer.levels.map((level) => level.width)) : layer.width;
    return own * Math.round(facts.width / own) / facts.width;
  };
  viewers.forEach((viewer, pane) => facts.panes[pane].layers.forEach((layer, number) => viewer.addTiledImage({
    tileSource: source(layer), x: 0, y: 0, width: extent(layer), opacity: opacity(layer),
    success: (event) => {
      shown.push({ item: event.item, layer });
      if (pane === 0 && number === 0 && location.hash === "#1:1") toOne();
      if (pane === 0 && number === 0) toBox();
      apply();
    },
  })));
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());

  // Magnification: pixels of the screen per pixel of the image.
  const containerWidth = () => leader.viewport.getContainerSize().x;
  const factor = () => (leader.viewport.getZoom(true) * containerWidth() * ratio()) / facts.width;
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
    // OpenSeadragon draws tiles that do not overlap one pixel too large, against gaps between them. At whole magnifications
    // there are none, and pixels are to be where they are.
    const overlap = Math.abs(one - Math.max(Math.round(one), 1)) < 1e-6 ? 1e-6 : 0;
    if (sources.some((each) => each.tileOverlap !== overlap)) {
      sources.forEach((each) => (each.tileOverlap = overlap));
      // Tiles get their places anew where the view moved, be it by less than can be seen.
      requestAnimationFrame(() => viewers.forEach((each) => each.viewport.panBy(new OpenSeadragon.Point(1e-9, 0), true)));
    }
    // From 1:1 on every pixel is seen as it is.
    if (smooth !== one < 0.999) {
      smooth = !smooth;
      viewers.forEach((each) => each.drawer.setImageSmoothingEnabled(smooth));
    }
  };
  // Whom the pointer or the keyboard is in leads; the others are where it is, frame by frame.
  viewers.forEach((viewer) => {
    const lead = () => (leader = viewer);
    ["pointerdown", "wheel", "focusin", "touchstart"].forEach((name) => viewer.element.addEventListener(name, lead, { capture: true, passive: true }));
    viewer.addHandler("update-viewport", () => {
      if (viewer !== leader) return;
      const zoom = viewer.viewport.getZoom(true), center = viewer.viewport.getCenter(true);
      viewers.filter((each) => each !== viewer && each.world.getItemCount()).forEach((each) => {
        each.viewport.zoomTo(zoom, null, true);
        each.viewport.panTo(center, true);
      });
      update();
    });
    viewer.addHandler("resize", update);
  });

  const toOne = () => {
    const { viewport } = leader;
    viewport.zoomTo(facts.width / (containerWidth() * ratio()), null, true);
    const corner = viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true).times(ratio());
    const off = new OpenSeadragon.Point(corner.x - Math.round(corner.x), corner.y - Math.round(corner.y));
    viewport.panBy(viewport.deltaPointsFromPixels(off.divide(ratio()), true), true);
    viewers.forEach((each) => each.forceRedraw());
  };
  // A box of the normalised image in the address, #box=y,x,height,width: it is framed and shown with its surroundings.
  const toBox = () => {
    const found = /^#box=(\d+),(\d+),(\d+),(\d+)$/.exec(location.hash);
    if (!found) return;
    const [y, x, height, width] = found.slice(1).map((text) => Number(text) / facts.width);
    viewers.forEach((each) => {
      const frame = document.createElement("div");
      frame.className = "box";
      each.clearOverlays();
      each.addOverlay(frame, new OpenSeadragon.Rect(x, y, width, height));
    });
    const around = Math.max(width, height, 60 / facts.width);
    leader.viewport.fitBounds(new OpenSeadragon.Rect(x - around, y - around, width + 2 * around, height + 2 * around), true);
  };
  window.addEventListener("hashchange", toBox);
  const zoomBy = (by) => leader.viewport.zoomBy(by).applyConstraints();
  at("one").addEventListener("click", toOne);
  at("all").addEventListener("click", () => leader.viewport.goHome());
  at("in").addEventListener("click", () => zoomBy(1.6));
  at("out").addEventListener("click", () => zoomBy(1 / 1.6));
})();
