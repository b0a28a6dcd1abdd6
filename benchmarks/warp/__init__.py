"""How fast `stn` warps, beside torch, kornia, OpenCV and `stn` 1.0.1."""
