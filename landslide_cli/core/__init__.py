"""What all stages share: the class palette, the scores, the tiling, and the networks in Keras."""
