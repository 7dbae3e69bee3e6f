
"use strict";
(async () => {
  const element = (id) => document.getElementById(id);
  const about = JSON.parse(element("about").textContent);
  const { size, affine, ct, labels, colors } = about;

  // Axes: 0 to the head, 1 to the back, 2 to the left. What runs upwards is drawn from below.
  const VIEWS = [
    { name: "axial", steps: "slice", axis: 0, x: 2, y: 1, up: false },
    { name: "coronal", steps: "row", axis: 1, x: 2, y: 0, up: true },
    { name: "sagittal", steps: "column", axis: 2, x: 1, y: 0, up: true },
  ];
  const LONGEST_SIDE = 900; // pixels of a canvas
  const FILL = 0.15; // opacity
  const OUTLINE = 2; // pixels

  async function unpack(id) {
    const bytes = Uint8Array.from(atob(element(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function undoDifferences(greys, columns) {
    for (let i = 0; i < greys.length; i += 1) {
      if (i % columns) greys[i] += greys[i - 1];
    }
    return greys;
  }

  const greys = undoDifferences(await unpack("ct"), ct.shape[2]);
  const found = labels ? await unpack("labels") : null;

  const extent = ct.shape.map((_, axis) => (ct.stop[axis] - ct.start[axis]) * size[axis]);
  const scale = LONGEST_SIDE / Math.max(...extent); // pixels per mm
  const cursor = about.cursor.slice();
  const clamp = (value, axis) =>
    Math.min(Math.max(Math.round(value), ct.start[axis]), ct.stop[axis] - 1);

  // Index in a packed array of a voxel of the CT along an axis; outside of it below 0 or too large.
  const packed = (part, axis, voxel) =>
    Math.floor(((voxel + 0.5 - part.start[axis]) * part.shape[axis])
      / (part.stop[axis] - part.start[axis]));
  const strides = (part) => [part.shape[1] * part.shape[2], part.shape[2], 1];

  function greyTable() {
    const [low, high] = element("window").value.split(",").map(Number);
    const step = (ct.window[1] - ct.window[0]) / (ct.greys - 1);
    return Uint8ClampedArray.from({ length: ct.greys }, (_, grey) =>
      ((ct.window[0] + grey * step - low) / (high - low)) * 255);
  }

  // The slice of the CT in its own pixels; the canvas scales it.
  function ctPicture(view, table) {
    const [width, height] = [ct.shape[view.x], ct.shape[view.y]];
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const stride = strides(ct);
    const base = packed(ct, view.axis, cursor[view.axis]) * stride[view.axis];
    for (let row = 0; row < height; row += 1) {
      const from = base + (view.up ? height - 1 - row : row) * stride[view.y];
      for (let column = 0; column < width; column += 1) {
        const grey = table[greys[from + column * stride[view.x]]];
        pixels[row * width + column] = 0xff000000 | (grey * 0x010101);
      }
    }
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  // Voxel of the CT at each pixel of a canvas, across or down.
  function voxels(count, axis, up) {
    const steps = Array.from({ length: count }, (_, i) =>
      ct.start[axis] + Math.floor(((i + 0.5) / count) * (ct.stop[axis] - ct.start[axis])));
    return up ? steps.reverse() : steps;
  }

  // Labels at each pixel of a canvas, so that outlines are equally wide in all views.
  function labelPixels(view, width, height) {
    const pixels = new Uint8Array(width * height);
    if (!labels) return pixels;
    const stride = strides(labels);
    const at = (axis, voxel) => {
      const index = packed(labels, axis, voxel);
      return index < 0 || index >= labels.shape[axis] ? -1 : index * stride[axis];
    };
    const base = at(view.axis, cursor[view.axis]);
    if (base < 0) return pixels;
    const across = voxels(width, view.x, false).map((voxel) => at(view.x, voxel));
    voxels(height, view.y, view.up).map((voxel) => at(view.y, voxel)).forEach((down, row) => {
      if (down < 0) return;
      across.forEach((step, column) => {
        if (step >= 0) pixels[row * width + column] = found[base + down + step];
      });
    });
    return pixels;
  }

  function drawLabels(context, view, width, height) {
    const showLiver = element("show-liver").checked;
    const showTumor = element("show-tumor").checked;
    if (!showLiver && !showTumor) return;
    const pixels = labelPixels(view, width, height);
    const image = context.getImageData(0, 0, width, height);
    const rgb = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
    const paint = (i, color, opacity) => {
      for (let c = 0; c < 3; c += 1) {
        image.data[4 * i + c] += (color[c] - image.data[4 * i + c]) * opacity;
      }
    };
    // At the border of what has at least this label; the margin of the canvas is none.
    const isBorder = (i, label) => {
      const column = i % width;
      return (column >= OUTLINE && pixels[i - OUTLINE] < label)
        || (column < width - OUTLINE && pixels[i + OUTLINE] < label)
        || pixels[i - OUTLINE * width] < label || pixels[i + OUTLINE * width] < label;
    };
    const [liver, tumor] = [rgb(colors.liver), rgb(colors.tumor)];
    for (let i = 0; i < pixels.length; i += 1) {
      if (!pixels[i]) continue;
      const isTumor = pixels[i] === 2 && showTumor;
      if (isTumor) paint(i, tumor, isBorder(i, 2) ? 1 : FILL);
      else if (showLiver) paint(i, liver, isBorder(i, 1) ? 1 : FILL);
    }
    context.putImageData(image, 0, 0);
  }

  // Centre of a voxel, in pixels of the canvas.
  function place(view, axis, length) {
    const share = (cursor[axis] + 0.5 - ct.start[axis]) / (ct.stop[axis] - ct.start[axis]);
    return Math.round((view.up && axis === view.y ? 1 - share : share) * length);
  }

  function drawCross(context, view, width, height) {
    const [x, y, gap] = [place(view, view.x, width), place(view, view.y, height), 14];
    context.fillStyle = "rgba(255, 255, 255, 0.6)";
    context.fillRect(0, y, x - gap, 1);
    context.fillRect(x + gap, y, width - x - gap, 1);
    context.fillRect(x, 0, 1, y - gap);
    context.fillRect(x, y + gap, 1, height - y - gap);
  }

  // All but the crosshair, which moves more often than what is below it.
  function drawSlice(view, width, height) {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(ctPicture(view, greyTable()), 0, 0, width, height);
    drawLabels(context, view, width, height);
    return canvas;
  }

  function draw(view) {
    const canvas = element(view.name);
    const { width, height } = canvas;
    const shown = [
      cursor[view.axis],
      element("window").value,
      element("show-liver").checked,
      element("show-tumor").checked,
    ].join();
    if (view.shown !== shown) {
      view.shown = shown;
      view.slice = drawSlice(view, width, height);
    }
    const context = canvas.getContext("2d");
    context.drawImage(view.slice, 0, 0);
    if (element("show-cross").checked) drawCross(context, view, width, height);
    element(`${view.name}-slider`).value = cursor[view.axis];
    element(`${view.name}-slice`).textContent =
      `${view.steps} ${cursor[view.axis]} (${ct.start[view.axis]} to ${ct.stop[view.axis] - 1})`;
  }

  function tellPosition() {
    const voxel = `slice ${cursor[0]}, row ${cursor[1]}, column ${cursor[2]}`;
    if (!affine) return voxel;
    const sides = ["RL", "AP", "IS"];
    const mm = affine.map((row, i) => {
      const value = row[0] * cursor[0] + row[1] * cursor[1] + row[2] * cursor[2] + row[3];
      return `${sides[i][value < 0 ? 0 : 1]} ${Math.abs(value).toFixed(1)}`;
    });
    return `${mm.join(", ")} mm (${voxel})`;
  }

  let waiting = false;
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      VIEWS.forEach(draw);
      element("position").textContent = tellPosition();
    });
  }

  function moveTo(voxel) {
    voxel.forEach((value, axis) => { cursor[axis] = clamp(value, axis); });
    document.querySelectorAll("tr.chosen").forEach((row) => row.classList.remove("chosen"));
    redraw();
  }

  function moveAlong(axis, value) {
    const voxel = cursor.slice();
    voxel[axis] = value;
    moveTo(voxel);
  }

  function point(view, event) {
    const box = element(view.name).getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width;
    const down = (event.clientY - box.top) / box.height;
    const voxel = cursor.slice();
    [[view.x, across], [view.y, view.up ? 1 - down : down]].forEach(([axis, share]) => {
      voxel[axis] = ct.start[axis] + share * (ct.stop[axis] - ct.start[axis]) - 0.5;
    });
    moveTo(voxel);
  }

  VIEWS.forEach((view) => {
    const canvas = element(view.name);
    canvas.width = Math.max(1, Math.round(extent[view.x] * scale));
    canvas.height = Math.max(1, Math.round(extent[view.y] * scale));
    const slider = element(`${view.name}-slider`);
    slider.min = ct.start[view.axis];
    slider.max = ct.stop[view.axis] - 1;
    slider.addEventListener("input", () => moveAlong(view.axis, Number(slider.value)));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      moveAlong(view.axis, cursor[view.axis] - Math.sign(event.deltaY));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      point(view, event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) point(view, event);
    });
  });
  ["show-liver", "show-tumor", "show-cross", "window"].forEach((id) =>
    element(id).addEventListener("change", redraw));
  document.querySelectorAll("tr[data-center]").forEach((row) =>
    row.addEventListener("click", () => {
      moveTo(JSON.parse(row.dataset.center));
      row.classList.add("chosen");
      element("viewer").scrollIntoView({ block: "nearest" });
    }));
  element("viewer").hidden = false;
  redraw();
})().catch((error) => {
  const message = document.getElementById("failure");
  message.textContent = `The pictures cannot be shown (${error.message}); the tables can.`;
  message.hidden = false;
});
