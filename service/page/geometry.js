/** What theta means, in pixels and in words. Pure; the counterpart of service/geometry.py. */

const CORNERS = [
  [-1, -1],
  [1, -1],
  [1, 1],
  [-1, 1],
];
const DEGREES = 180 / Math.PI;

/** Return the point of a width x height picture, in its pixels, that theta looks at from (x, y). */
export function lookedAt(theta, [x, y], [width, height]) {
  const [[a, b, tx], [c, d, ty]] = theta;
  return [
    ((a * x + b * y + tx + 1) * (width - 1)) / 2,
    ((c * x + d * y + ty + 1) * (height - 1)) / 2,
  ];
}

/** Return the four corners of the region, in the order of the warped image's, from top left. */
export function regionOf(theta, size) {
  return CORNERS.map((corner) => lookedAt(theta, corner, size));
}

/** Return the theta that looks at a region; `regionOf` takes it back. */
export function thetaOf(region, [width, height]) {
  const [topLeft, topRight, bottomRight, bottomLeft] = region;
  return [width, height].map((side, axis) => {
    const half = Math.max(side - 1, 1) / 2;
    return [
      (topRight[axis] - topLeft[axis]) / 2 / half,
      (bottomLeft[axis] - topLeft[axis]) / 2 / half,
      (topLeft[axis] + bottomRight[axis]) / 2 / half - 1,
    ];
  });
}

/** Return the point at (x, y) of a region, each from -1 to 1. */
export function pointOf(region, [x, y]) {
  const [topLeft, topRight, bottomRight, bottomLeft] = region;
  return [0, 1].map(
    (axis) =>
      (topLeft[axis] +
        bottomRight[axis] +
        x * (topRight[axis] - topLeft[axis]) +
        y * (bottomLeft[axis] - topLeft[axis])) /
      2,
  );
}

/**
 * A region as a person would set it.
 *
 * turn: clockwise on the screen, in degrees. zoom: above 1 the region is smaller than the base.
 * stretch: how much wider than high the output shows things. lean: how far each axis leans from the
 * right angle, in degrees. right, down: where its middle is from the picture's, in pixels.
 */
export const WHOLE = { turn: 0, zoom: 1, stretch: 1, lean: 0, right: 0, down: 0, mirrored: false };

/** Return the corners of a frame; base is the [width, height] that a zoom of 1 has, in pixels. */
export function regionOfFrame(frame, base, [width, height]) {
  const first = (frame.turn + frame.lean) / DEGREES;
  const second = (frame.turn - frame.lean) / DEGREES;
  const across = base[0] / 2 / frame.zoom / Math.sqrt(frame.stretch);
  const down = (((frame.mirrored ? -1 : 1) * base[1]) / 2 / frame.zoom) * Math.sqrt(frame.stretch);
  const middle = [(width - 1) / 2 + frame.right, (height - 1) / 2 + frame.down];
  const u = [across * Math.cos(first), across * Math.sin(first)];
  const v = [-down * Math.sin(second), down * Math.cos(second)];
  return CORNERS.map(([x, y]) => [0, 1].map((axis) => middle[axis] + x * u[axis] + y * v[axis]));
}

/** Take a region apart; `regionOfFrame` puts it together again. */
export function frameOf(region, base, [width, height]) {
  const middle = pointOf(region, [0, 0]);
  const u = pointOf(region, [1, 0]).map((value, axis) => value - middle[axis]);
  const v = pointOf(region, [0, 1]).map((value, axis) => value - middle[axis]);
  const mirrored = u[0] * v[1] - u[1] * v[0] < 0;
  const flip = mirrored ? -1 : 1;
  const first = Math.atan2(u[1], u[0]);
  const lean = halfTurn(first - Math.atan2(-v[0] * flip, v[1] * flip)) / 2;
  const across = Math.hypot(...u) / (base[0] / 2);
  const down = Math.hypot(...v) / (base[1] / 2);
  return {
    turn: halfTurn(first - lean) * DEGREES,
    zoom: 1 / Math.sqrt(across * down),
    stretch: down / across,
    lean: lean * DEGREES,
    right: middle[0] - (width - 1) / 2,
    down: middle[1] - (height - 1) / 2,
    mirrored,
  };
}

/** Return the frame that a transform of the gateway describes, on a width x height input. */
export function frameOfTransform(transform, [width, height]) {
  const [across, down] = transform.scale;
  return {
    turn: transform.rotation_degrees,
    zoom: 1 / Math.sqrt(across * down),
    stretch: down / across,
    lean: transform.shear_degrees,
    right: (transform.translation[0] * (width - 1)) / 2,
    down: (transform.translation[1] * (height - 1)) / 2,
    mirrored: transform.mirrored,
  };
}

const MIDDLE = "looked at the middle";

/** Say in words what looking through a frame does to a picture. */
export function inWords(frame) {
  const phrases = [whereTo(frame)];
  if (frame.zoom > 1.03) phrases.push(`zoomed in ${frame.zoom.toFixed(1)} times`);
  if (frame.zoom < 0.97) phrases.push(`zoomed out ${(1 / frame.zoom).toFixed(1)} times`);
  const turn = Math.round(Math.abs(frame.turn));
  // To look through a frame that is turned to the right turns what is seen to the left.
  if (turn)
    phrases.push(
      `turned the picture ${plural(turn, "degree")} to the ${frame.turn > 0 ? "left" : "right"}`,
    );
  const stretch = Math.max(frame.stretch, 1 / frame.stretch);
  if (stretch > 1.1)
    phrases.push(
      `stretched it ${stretch.toFixed(1)} times in ${frame.stretch > 1 ? "width" : "height"}`,
    );
  const lean = Math.round(Math.abs(frame.lean));
  if (lean > 4) phrases.push(`set a slant of ${plural(lean, "degree")} upright`);
  if (frame.mirrored) phrases.push("mirrored it");
  if (phrases.length === 1 && phrases[0] === MIDDLE) return "left the picture as it is";
  const last = phrases.pop();
  return phrases.length ? `${phrases.join(", ")} and ${last}` : last;
}

function whereTo(frame) {
  const [right, down] = [Math.round(frame.right), Math.round(frame.down)];
  const steps = [];
  if (right)
    steps.push(`${plural(Math.abs(right), "pixel")} to the ${right > 0 ? "right" : "left"}`);
  if (down)
    steps.push(
      `${right ? Math.abs(down) : plural(Math.abs(down), "pixel")} ${down > 0 ? "down" : "up"}`,
    );
  return steps.length ? `looked ${steps.join(" and ")}` : MIDDLE;
}

/** Write a number with a true minus, and nothing as 0. */
export function written(value, digits = 0) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Bring an angle in radians into [-pi, pi]. */
const halfTurn = (angle) => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
