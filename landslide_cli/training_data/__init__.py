"""What a training learns from: examples, batches and augmentation."""
