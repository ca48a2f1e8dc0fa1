"""Everything that touches an image file: rasters, masks, pairing, datasets, drawing, synthesis."""
