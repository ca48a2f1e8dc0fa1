"""What has been learned before: an encoder's ImageNet weights, and the trained landslide model."""

from pathlib import Path

FOLDER = Path(__file__).parent

# Of the trained model in this package.
LICENCE = "Apache-2.0"
