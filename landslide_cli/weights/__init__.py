"""What has been learned before: an encoder's ImageNet weights, and the trained landslide model."""
