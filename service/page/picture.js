/** Pictures that people bring: what is sent of them, and what is shown. */

// An eighth of what many phones take: browsers decode a JPEG at that size much faster than in full.
// Also enough to steer by, and small enough to send at every move of a slider.
const SHOWN_SIDE = 504;
// Of the paper's brightness: darker is ink, brighter is paper.
const [INK, PAPER] = [0.5, 0.82];
const CELLS = 8;

/**
 * Read a file. What is sent is the file itself, untouched.
 *
 * Returns { name, blob, size, canvas, grey }: size [width, height] in pixels, upright; canvas to show,
 * smaller for a large picture; grey the mean of its border, from 0 to 1. The last three are null when
 * this browser can make no picture of it.
 */
export async function readFile(blob, name) {
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  const size = await new Promise((done) => {
    image.onload = () => done([image.naturalWidth, image.naturalHeight]);
    image.onerror = () => done([0, 0]);
  });
  const canvas = size[0] && size[1] ? shrunk(image, size, SHOWN_SIDE) : null;
  URL.revokeObjectURL(image.src);
  return { name, blob, size: canvas && size, canvas, grey: canvas && greyOfBorder(canvas) };
}

/** Return what is sent to steer a picture by hand: the picture itself, or a smaller copy. */
export async function copyToSteer(picture) {
  if (Math.max(...picture.size) <= SHOWN_SIDE)
    return { blob: await blobOf(picture), size: picture.size };
  const canvas = shrunk(picture.canvas, [picture.canvas.width, picture.canvas.height], SHOWN_SIDE);
  return { blob: await toBlob(canvas, "image/webp"), size: [canvas.width, canvas.height] };
}

export const toBlob = (canvas, type = "image/png") =>
  new Promise((done) => canvas.toBlob(done, type, 0.92));

/** Return what is sent of a picture; a drawing has only its canvas. */
export const blobOf = async (picture) => picture.blob ?? toBlob(picture.canvas);

/** Return a new canvas and its context. */
export function newCanvas(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  return [canvas, canvas.getContext("2d", { willReadFrequently: true })];
}

function shrunk(source, [width, height], side) {
  const scale = Math.min(1, side / Math.max(width, height));
  const [canvas, context] = newCanvas(
    Math.max(1, Math.round(width * scale)),
    Math.max(1, Math.round(height * scale)),
  );
  context.imageSmoothingQuality = "medium";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function greyOfBorder(source) {
  const [canvas, context] = newCanvas(16, 16);
  // What is transparent shows the paper it is seen on.
  context.drawImage(source, 0, 0, 16, 16);
  const { data } = context.getImageData(0, 0, 16, 16);
  let sum = 0;
  let count = 0;
  for (let i = 0; i < 256; i++) {
    const [x, y] = [i % 16, Math.floor(i / 16)];
    if (x > 0 && x < 15 && y > 0 && y < 15) continue;
    const [r, g, b, alpha] = data.subarray(4 * i, 4 * i + 4);
    sum += ((0.299 * r + 0.587 * g + 0.114 * b) * alpha) / 255 / 255;
    count += 1;
  }
  canvas.width = 0;
  return sum / count;
}

/**
 * Return a picture of paper with its light evened out, as a scanner would: paper white, ink dark.
 *
 * Null for what does not then look like a sheet with a little ink on it, unless it is forced.
 */
export async function evened(source, force = false) {
  const canvas = shrunk(source, [source.width, source.height], SHOWN_SIDE);
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  const picture = context.getImageData(0, 0, width, height);
  const grey = greysOf(picture.data);
  const paper = paperUnder(grey, width, height);
  let white = 0;
  for (let i = 0; i < grey.length; i++) {
    const share = grey[i] / Math.max(paper[4 * i], 1);
    const value = 255 * Math.min(1, Math.max(0, (share - INK) / (PAPER - INK)));
    white += value > 200;
    picture.data.set([value, value, value, 255], 4 * i);
  }
  if (!force && white < 0.7 * grey.length) return null;
  context.putImageData(picture, 0, 0);
  return {
    name: "evened.png",
    blob: await toBlob(canvas),
    size: [width, height],
    canvas,
    ours: true,
  };
}

function greysOf(data) {
  const greys = new Float32Array(data.length / 4);
  for (let i = 0; i < greys.length; i++)
    greys[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
  return greys;
}

/** Return RGBA pixels of how bright the paper is under each pixel, ink left out. */
function paperUnder(grey, width, height) {
  const brightest = (column, row) => {
    const values = [];
    for (let y = Math.floor((row * height) / CELLS); y < ((row + 1) * height) / CELLS; y += 3) {
      for (let x = Math.floor((column * width) / CELLS); x < ((column + 1) * width) / CELLS; x += 3)
        values.push(grey[y * width + x]);
    }
    return values.sort((a, b) => b - a)[Math.floor(values.length / 5)];
  };
  const cells = Array.from({ length: CELLS ** 2 }, (_, i) =>
    brightest(i % CELLS, Math.floor(i / CELLS)),
  );
  const [small, context] = newCanvas(CELLS, CELLS);
  const image = context.createImageData(CELLS, CELLS);
  cells.forEach((_, i) => {
    // A cell that ink fills takes its paper from those around it.
    const around = cells.filter(
      (_, j) =>
        Math.abs((i % CELLS) - (j % CELLS)) < 2 &&
        Math.abs(Math.floor(i / CELLS) - Math.floor(j / CELLS)) < 2,
    );
    const median = around.sort((a, b) => a - b)[Math.floor(around.length / 2)];
    const paper = Math.max(cells[i], median);
    image.data.set([paper, paper, paper, 255], 4 * i);
  });
  context.putImageData(image, 0, 0);
  const [wide, wideContext] = newCanvas(width, height);
  wideContext.imageSmoothingQuality = "high";
  wideContext.drawImage(small, 0, 0, width, height);
  return wideContext.getImageData(0, 0, width, height).data;
}
