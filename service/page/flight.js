/** The region leaves the picture, turns upright, and lands where the network sees it. */

const MILLISECONDS = 750;
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Break off what flies. */
export function land(sheet) {
  sheet.getAnimations().forEach((animation) => animation.cancel());
  sheet.hidden = true;
}

/**
 * Let a region of a picture fly to a square.
 *
 * sheet: the canvas that flies, which lies over both. source: the canvas with the picture, as shown.
 * region: the corners, in CSS pixels of the source. target: the element to land on.
 */
export async function fly({ sheet, source, region, target }) {
  if (still.matches) return;
  const parent = sheet.parentElement.getBoundingClientRect();
  const from = source.getBoundingClientRect();
  const to = target.getBoundingClientRect();
  sheet.width = source.width;
  sheet.height = source.height;
  sheet.getContext("2d").drawImage(source, 0, 0);
  Object.assign(sheet.style, {
    left: `${from.left - parent.left}px`,
    top: `${from.top - parent.top}px`,
    width: `${from.width}px`,
    height: `${from.height}px`,
    clipPath: `polygon(${region.map(([x, y]) => `${x}px ${y}px`).join(",")})`,
  });
  const landed = matrixTo(region, [to.left - from.left, to.top - from.top], [to.width, to.height]);
  land(sheet);
  sheet.hidden = false;
  const animation = sheet.animate(
    [
      { transform: "none", opacity: 0 },
      { transform: "none", opacity: 1, offset: 0.12, easing: "cubic-bezier(.5,0,.15,1)" },
      { transform: landed, opacity: 1, offset: 0.92 },
      { transform: landed, opacity: 0 },
    ],
    MILLISECONDS,
  );
  // It rejects when it is broken off.
  await animation.finished.then(
    () => land(sheet),
    () => {},
  );
}

/** Return the CSS matrix that lays a region on the rectangle at a point, of a size. */
function matrixTo([topLeft, topRight, , bottomLeft], [left, top], [width, height]) {
  const matrix = new DOMMatrix([
    (topRight[0] - topLeft[0]) / width,
    (topRight[1] - topLeft[1]) / width,
    (bottomLeft[0] - topLeft[0]) / height,
    (bottomLeft[1] - topLeft[1]) / height,
    topLeft[0],
    topLeft[1],
  ]);
  return matrix
    .invertSelf()
    .preMultiplySelf(new DOMMatrix([1, 0, 0, 1, left, top]))
    .toString();
}
