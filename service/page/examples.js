/** Digits to begin with, kept as the strokes of a pen, and a photo. */

// Points from 0 to 1 within the digit's own square; a point given twice makes a sharp corner.
const DIGITS = {
  2: [
    [
      [0.2, 0.24],
      [0.3, 0.07],
      [0.55, 0.02],
      [0.78, 0.14],
      [0.78, 0.34],
      [0.6, 0.58],
      [0.38, 0.78],
      [0.16, 0.96],
      [0.16, 0.96],
      [0.5, 0.94],
      [0.86, 0.95],
    ],
  ],
  3: [
    [
      [0.2, 0.12],
      [0.45, 0.02],
      [0.74, 0.1],
      [0.76, 0.3],
      [0.6, 0.43],
      [0.4, 0.48],
      [0.4, 0.48],
      [0.66, 0.5],
      [0.82, 0.66],
      [0.76, 0.88],
      [0.5, 0.99],
      [0.16, 0.9],
    ],
  ],
  4: [
    [
      [0.36, 0.03],
      [0.28, 0.3],
      [0.14, 0.58],
      [0.14, 0.58],
      [0.5, 0.58],
      [0.88, 0.56],
    ],
    [
      [0.68, 0.12],
      [0.66, 0.55],
      [0.64, 0.99],
    ],
  ],
  5: [
    [
      [0.8, 0.04],
      [0.55, 0.05],
      [0.3, 0.05],
      [0.3, 0.05],
      [0.26, 0.25],
      [0.22, 0.46],
      [0.22, 0.46],
      [0.5, 0.4],
      [0.76, 0.5],
      [0.8, 0.74],
      [0.62, 0.95],
      [0.4, 0.98],
      [0.16, 0.9],
    ],
  ],
  7: [
    [
      [0.14, 0.08],
      [0.5, 0.07],
      [0.86, 0.05],
      [0.86, 0.05],
      [0.7, 0.32],
      [0.52, 0.62],
      [0.42, 0.98],
    ],
  ],
  9: [
    [
      [0.76, 0.2],
      [0.62, 0.05],
      [0.38, 0.06],
      [0.24, 0.26],
      [0.34, 0.46],
      [0.58, 0.46],
      [0.76, 0.24],
      [0.76, 0.24],
      [0.74, 0.6],
      [0.66, 0.98],
    ],
  ],
};

/** What the page offers. `size` and `middle` are parts of the square, `turn` is in degrees. */
export const EXAMPLES = [
  { name: "A seven, turned", digit: 7, turn: 32, size: 0.46, middle: [0.56, 0.46] },
  { name: "A four, small and low", digit: 4, turn: -24, size: 0.42, middle: [0.34, 0.66] },
  { name: "A three, large", digit: 3, turn: -14, size: 0.78, middle: [0.48, 0.5] },
  { name: "A five, far to the left", digit: 5, turn: 38, size: 0.5, middle: [0.32, 0.4] },
  { name: "A two, on paper", digit: 2, turn: 18, size: 0.56, middle: [0.45, 0.52], paper: true },
  { name: "A cat, to steer by hand", picture: "page/cat.webp" },
];

/** Return the strokes of an example, placed on the unit square. */
export function strokesOf({ digit, turn, size, middle }) {
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  const place = ([x, y]) => {
    const [right, down] = [(x - 0.5) * size, (y - 0.5) * size];
    return [middle[0] + right * cos - down * sin, middle[1] + right * sin + down * cos];
  };
  return DIGITS[digit].map((stroke) => stroke.map(place));
}

/** Return the first part of strokes, as a pen would have drawn them by then; part is from 0 to 1. */
export function begun(strokes, part) {
  const lengths = strokes.map((stroke) =>
    stroke.slice(1).map((point, i) => Math.hypot(point[0] - stroke[i][0], point[1] - stroke[i][1])),
  );
  let left = part * lengths.flat().reduce((sum, length) => sum + length, 0);
  const drawn = [];
  for (const [s, stroke] of strokes.entries()) {
    if (left <= 0) break;
    const points = [stroke[0]];
    for (let i = 1; i < stroke.length && left > 0; i++) {
      const share = Math.min(1, left / (lengths[s][i - 1] || 1e-9));
      points.push(
        [0, 1].map((axis) => stroke[i - 1][axis] + share * (stroke[i][axis] - stroke[i - 1][axis])),
      );
      left -= lengths[s][i - 1];
    }
    drawn.push(points);
  }
  return drawn;
}
