/** The camera, as a square that shows what will be taken. */

import { newCanvas, toBlob } from "./picture.js";

const SIDE = 504;

/** Whether this browser lets a page see a camera; over plain HTTP only on the machine itself. */
export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

export class Camera {
  #video;
  #stream = null;

  constructor(video) {
    this.#video = video;
  }

  get runs() {
    return this.#stream !== null;
  }

  async start() {
    this.#stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: 1280, height: 960 },
      audio: false,
    });
    this.#video.srcObject = this.#stream;
    this.#video.hidden = false;
    await this.#video.play();
  }

  /** Return the middle of what the camera sees, as a PNG. */
  async take() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const side = Math.min(width, height);
    const [canvas, context] = newCanvas(SIDE, SIDE);
    context.drawImage(
      this.#video,
      (width - side) / 2,
      (height - side) / 2,
      side,
      side,
      0,
      0,
      SIDE,
      SIDE,
    );
    this.stop();
    return toBlob(canvas);
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#video.srcObject = null;
    this.#video.hidden = true;
  }
}
