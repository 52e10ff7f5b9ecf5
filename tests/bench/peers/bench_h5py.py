"""Times dense reads of a data file by h5py, and of a gzip copy that it makes beside it.

    python3 bench_h5py.py data.h5 copy_gzip.h5

Prints one JSON object: images a second, batches of 128 in order, the best of three passes.
"""
import json
import sys
import time

import h5py

BATCH = 128


def rate(path):
    best = 0
    for _ in range(3):
        with h5py.File(path, "r") as f:
            images = f["jet"]
            started = time.perf_counter()
            for first in range(0, len(images), BATCH):
                images[first : first + BATCH]
            best = max(best, len(images) / (time.perf_counter() - started))
    return best


source, copy = sys.argv[1:]
with h5py.File(source, "r") as f, h5py.File(copy, "w") as g:
    images = f["jet"]
    part = g.create_dataset("jet", shape=images.shape, dtype="f4", chunks=(8, *images.shape[1:]), compression="gzip", shuffle=True)
    for first in range(0, len(images), BATCH):
        part[first : first + BATCH] = images[first : first + BATCH]
print(json.dumps({"version": h5py.__version__, "contiguous": rate(source), "gzip": rate(copy)}))
