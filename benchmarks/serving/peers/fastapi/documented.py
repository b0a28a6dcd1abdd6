"""A model behind FastAPI as tutorials write it: a plain function, an upload, a dictionary."""

import os

import uvicorn
from documented_model import answer, predict, read_picture
from fastapi import FastAPI, UploadFile

app = FastAPI()


@app.post("/predict")
def predict_image(image: UploadFile, include: str | None = None):
    """Classify one picture."""
    outputs = predict([read_picture(image.file.read())])
    return answer(outputs, 0, include == "warped")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]))
