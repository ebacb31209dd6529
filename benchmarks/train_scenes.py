"""`python -m benchmarks.train_scenes pretrain|train|finetune`: an encoder of points, in the stages of the paper."""

import sys

from benchmarks.training.train_scenes import main

if __name__ == "__main__":
    sys.exit(main())
